import BalancerKitProxy

/// Judges what shows only once the file was read as a whole, in nginx's words.
struct ConfigurationCheck {
    private let scope: DirectiveScope
    private let upstreams: Set<String>
    private var tree: NginxSyntaxTree { self.scope.tree }

    init(_ scope: DirectiveScope) {
        self.scope = scope
        let named = scope.tree.nodes.filter { $0.hasBlock && $0.name == "upstream" && $0.words.count == 2 }
        self.upstreams = Set(named.map { $0.words[1].text.lowercased() })
    }

    func check(_ context: NginxContext) throws(NginxError) {
        for index in self.tree.nodes.indices {
            let node = self.tree.nodes[index]
            switch node.name {
            case "location" where node.hasBlock: try self.checkNesting(index)
            case "proxy_pass": try self.checkTarget(index)
            default: break
            }
        }
        if context == .main, self.scope.own("events", in: -1).isEmpty {
            throw NginxError(code: .invalidArguments, message: #"no "events" section in configuration"#)
        }
        if context == .main { try self.checkFormats() }
        for index in self.tree.nodes.indices where self.tree.nodes[index].hasBlock {
            try self.checkDuplicateLocations(in: index)
            if self.tree.nodes[index].name == "server" { try self.checkCertificate(of: index) }
        }
        try self.checkAddresses()
        try self.checkVariables()
        try self.checkZones()
    }

    /// Formats of the access log are made before they are named. Those of a fragment may stand in the file that it belongs to.
    private func checkFormats() throws(NginxError) {
        var made: Set<String> = ["combined"]
        for node in self.tree.nodes {
            if node.name == "log_format", node.words.count > 1 { made.insert(node.words[1].text) }
            guard node.name == "access_log", !node.hasBlock, node.words.count > 2, node.words[1].text != "off" else { continue }
            guard made.contains(node.words[2].text) else { throw .invalid("unknown log format \"\(node.words[2].text)\"", node) }
        }
    }

    /// Zones that are named and nowhere made.
    private func checkZones() throws(NginxError) {
        var made: Set<String> = []
        var named: [String] = []
        for index in self.tree.nodes.indices {
            let (node, around) = (self.tree.nodes[index], self.scope.block(around: index))
            // Lines of words are no directives.
            guard around < 0 || !["types", "map", "geo", "split_clients", "charset_map"].contains(self.tree.nodes[around].name) else {
                continue
            }
            switch node.name {
            case "limit_req_zone", "limit_conn_zone": made.insert(try ZoneArguments(node).name)
            case "limit_req": named.append(try RequestLimitArguments(node).limit.zone)
            case "limit_conn" where node.words.count == 3:
                let word = node.words[1].text
                named.append(word.hasPrefix("zone=") ? String(word.dropFirst("zone=".count)) : word)
            default: break
            }
        }
        guard let missing = named.first(where: { !made.contains($0) }) else { return }
        throw NginxError(code: .invalidValue, message: "zero size shared memory zone \"\(missing)\"")
    }

    // MARK: Addresses

    /// A server mentions an address once, and an address has one default server.
    private func checkAddresses() throws(NginxError) {
        var defaults: Set<String> = []
        for server in self.tree.nodes.indices where self.tree.nodes[server].name == "server" && self.tree.nodes[server].hasBlock {
            var seen: Set<String> = []
            for index in self.scope.own("listen", in: server) {
                let node = self.tree.nodes[index]
                let address = try ListenAddress(node)
                let name = ListenGroup(place: address.place).description
                guard seen.insert(name).inserted else {
                    throw NginxError(code: .duplicate, message: "a duplicate listen \(name)", place: node.place)
                }
                guard !address.isDefault || defaults.insert(name).inserted else {
                    throw NginxError(code: .duplicate, message: "a duplicate default server for \(name)", place: node.place)
                }
            }
        }
    }

    // MARK: Locations

    private func checkNesting(_ index: Int) throws(NginxError) {
        let node = self.tree.nodes[index]
        let match = try LocationMatch(node)
        let block = self.scope.block(around: index)
        guard block >= 0, self.tree.nodes[block].name == "location" else { return }
        let outer = try LocationMatch(self.tree.nodes[block])
        switch outer.kind {
        case .exact: throw .invalid("location \"\(match.name)\" cannot be inside the exact location \"\(outer.name)\"", node)
        case .named: throw .invalid("location \"\(match.name)\" cannot be inside the named location \"\(outer.name)\"", node)
        case .prefix, .firmPrefix, .regularExpression: break
        }
        if match.kind == .named { throw .invalid("named location \"\(match.name)\" can be on the server level only", node) }
        guard match.isRegularExpression || match.name.utf8.starts(with: outer.name.utf8) else {
            throw .invalid("location \"\(match.name)\" is outside location \"\(outer.name)\"", node)
        }
    }

    private func checkDuplicateLocations(in block: Int) throws(NginxError) {
        var exact: Set<String> = []
        var inclusive: Set<String> = []
        for index in self.scope.own("location", in: block) {
            let node = self.tree.nodes[index]
            let match = try LocationMatch(node)
            let isNew =
                switch match.kind {
                case .exact: exact.insert(match.name).inserted
                case .prefix, .firmPrefix, .named: inclusive.insert(match.name).inserted
                case .regularExpression: true
                }
            guard isNew else {
                throw NginxError(code: .duplicate, message: "duplicate location \"\(match.name)\"", place: node.place)
            }
        }
    }

    // MARK: Targets

    private func checkTarget(_ index: Int) throws(NginxError) {
        let node = self.tree.nodes[index]
        let target = try ProxyTarget(node)
        if target.path != nil, try self.hasNoPrefix(self.scope.block(around: index)) {
            throw .invalid(
                "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named location, "
                    + "or inside \"if\" statement, or inside \"limit_except\" block", node)
        }
        guard case .host(let host, let port)? = target.address?.place, target.address?.hasPort == true, self.upstreams.contains(host) else {
            return
        }
        throw .invalid("upstream \"\(host)\" may not have port \(port)", node)
    }

    private func hasNoPrefix(_ block: Int) throws(NginxError) -> Bool {
        guard block >= 0, self.tree.nodes[block].name == "location" else { return true }
        let match = try LocationMatch(self.tree.nodes[block])
        return match.kind == .named || match.isRegularExpression
    }

    // MARK: Certificates

    private func checkCertificate(of server: Int) throws(NginxError) {
        var isTLS = false
        for index in self.scope.own("listen", in: server) where try ListenAddress(self.tree.nodes[index]).isTLS { isTLS = true }
        let refuses =
            self.scope.inherited("ssl_reject_handshake", in: server).last?.words.last.flatMap { NginxQuantity.flag($0.bytes) } ?? false
        guard isTLS, !refuses, self.scope.inherited("ssl_certificate", in: server).isEmpty else { return }
        throw .invalid(#"no "ssl_certificate" is defined for the "listen ... ssl" directive"#, self.tree.nodes[server])
    }

    // MARK: Variables

    private func checkVariables() throws(NginxError) {
        var own: Set<String> = []
        for node in self.tree.nodes { own.formUnion(Self.defined(by: node)) }
        for node in self.tree.nodes where Self.expands.contains(node.name) {
            let skipped = ["proxy_set_header", "add_header", "rewrite", "set"].contains(node.name) ? 2 : 1
            for word in node.words.dropFirst(skipped) {
                for name in try VariableNames.inside(word.bytes, at: node.place) where !own.contains(name) && !KnownVariables.contains(name)
                {
                    throw .invalid("unknown \"\(name)\" variable", node)
                }
            }
        }
    }

    /// Directives whose arguments are expanded, among those that the embedded proxy can meet.
    private static let expands: Set<String> = [
        "proxy_set_header", "proxy_pass", "add_header", "return", "rewrite", "set", "root", "alias", "try_files", "limit_req_zone",
        "limit_conn_zone", "hash", "proxy_cache_key", "expires",
    ]

    private static func defined(by node: NginxSyntaxTree.Node) -> [String] {
        switch node.name {
        case "set", "auth_request_set": node.words.dropFirst().first.map { [String($0.text.dropFirst())] } ?? []
        case "map", "geo", "split_clients": node.words.count > 1 ? [String(node.words[node.words.count - 1].text.dropFirst())] : []
        case "location", "server_name", "rewrite", "if": Self.captures(in: node)
        default: []
        }
    }

    /// Names of groups in regular expressions: `(?<name>…)`, `(?P<name>…)`.
    private static func captures(in node: NginxSyntaxTree.Node) -> [String] {
        node.words.flatMap { word in
            word.text.split(separator: "?").compactMap { part in
                let name = part.hasPrefix("P<") ? part.dropFirst(2) : part.hasPrefix("<") ? part.dropFirst() : ""
                return name.firstIndex(of: ">").map { String(name[..<$0]) }
            }
        }
    }
}

/// The variables that nginx has by itself.
enum KnownVariables {
    static func contains(_ name: String) -> Bool {
        let lowered = name.lowercased()
        return self.names.contains(lowered) || self.families.contains { lowered.hasPrefix($0) && lowered.count > $0.count }
            || (name.count == 1 && name.first?.isWholeNumber == true)
    }

    private static let families = [
        "arg_", "cookie_", "http_", "sent_http_", "sent_trailer_", "upstream_http_", "upstream_cookie_", "upstream_trailer_",
    ]

    private static let names = Set(
        """
        args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests connection_time connections_active \
        connections_reading connections_waiting connections_writing content_length content_type date_gmt date_local document_root \
        document_uri fastcgi_path_info fastcgi_script_name gzip_ratio host hostname https http2 invalid_referer is_args \
        limit_conn_status limit_rate limit_req_status memcached_key modern_browser ancient_browser msec msie nginx_version pid pipe \
        proxy_add_x_forwarded_for proxy_host proxy_internal_body_length proxy_internal_chunked proxy_port proxy_protocol_addr \
        proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port query_string realip_remote_addr realip_remote_port \
        realpath_root remote_addr remote_port remote_user request request_body request_body_file request_completion request_filename \
        request_id request_length request_method request_time request_uri scheme secure_link secure_link_expires server_addr \
        server_name server_port server_protocol slice_range ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_client_cert \
        ssl_client_escaped_cert ssl_client_fingerprint ssl_client_i_dn ssl_client_i_dn_legacy ssl_client_raw_cert ssl_client_s_dn \
        ssl_client_s_dn_legacy ssl_client_serial ssl_client_v_end ssl_client_v_remain ssl_client_v_start ssl_client_verify ssl_curve \
        ssl_curves ssl_early_data ssl_protocol ssl_server_name ssl_session_id ssl_session_reused status tcpinfo_rcv_space tcpinfo_rtt \
        tcpinfo_rttvar tcpinfo_snd_cwnd time_iso8601 time_local uid_got uid_reset uid_set upstream_addr upstream_bytes_received \
        upstream_bytes_sent upstream_cache_last_modified upstream_cache_etag upstream_cache_status upstream_connect_time \
        upstream_header_time upstream_response_length upstream_response_time upstream_status uri
        """.split(whereSeparator: \.isWhitespace).map(String.init))
}
