/// The directives that are known, by name and kind of block. Several rules may bear one name (`server` in `http` and in `upstream`).
enum DirectiveTable {
    static let rules: [String: [DirectiveRule]] = Dictionary(
        grouping: Self.lines.compactMap(DirectiveRule.init(line:)), by: \.name)

    /// All lines of all tables.
    static let lines: [Substring] =
        (Self.process + Self.http + Self.proxy + Self.upstream + Self.tls + Self.modules)
        .split(separator: "\n") + Self.gateways

    /// nginx's core and its events.
    private static let process = """
        user m 12 any -
        worker_processes m 1 any +
        worker_rlimit_nofile m 1 number -
        worker_rlimit_core m 1 offset -
        worker_shutdown_timeout m 1 msec +
        worker_priority m 1 any -
        worker_cpu_affinity m 1+ any -
        working_directory m 1 any -
        daemon m 1 flag -
        master_process m 1 flag -
        timer_resolution m 1 msec -
        pid m 1 any -
        lock_file m 1 any -
        env m 1 any* -
        load_module m 1 any* -
        debug_points m 1 stop|abort -
        pcre_jit m 1 flag -
        thread_pool m 23 any* -
        ssl_engine m 1 any -
        error_log mhsl 1+ any* -
        events m 0{ any -
        worker_connections e 1 number -
        use e 1 any -
        multi_accept e 1 flag -
        accept_mutex e 1 flag -
        accept_mutex_delay e 1 msec -
        debug_connection e 1 any* -
        http m 0{ any +
        stream m 0{ any !
        mail m 0{ any !

        """

    /// `ngx_http_core_module`.
    private static let http = """
        server h 0{ any* +
        location sl 12{ any* +
        listen s 1+ any* +
        server_name s 1+ any* +
        alias l 1 any +
        root hsli 1 any +
        internal l 0 any !
        limit_except l 1+{ any !
        types hsl 0{ any* +
        default_type hsl 1 any +
        types_hash_max_size hsl 1 number -
        types_hash_bucket_size hsl 1 number -
        variables_hash_max_size h 1 number -
        variables_hash_bucket_size h 1 number -
        server_names_hash_max_size h 1 number -
        server_names_hash_bucket_size h 1 number -
        connection_pool_size hs 1 size -
        request_pool_size hs 1 size -
        client_header_timeout hs 1 msec +
        client_header_buffer_size hs 1 size -
        large_client_header_buffers hs 2 any +
        ignore_invalid_headers hs 1 flag -
        underscores_in_headers hs 1 flag -
        merge_slashes hs 1 flag -
        client_max_body_size hsl 1 offset +
        client_body_buffer_size hsl 1 size -
        client_body_timeout hsl 1 msec +
        client_body_temp_path hsl 1234 any -
        client_body_in_file_only hsl 1 off|on|clean -
        client_body_in_single_buffer hsl 1 flag -
        sendfile hsli 1 flag -
        sendfile_max_chunk hsl 1 size -
        subrequest_output_buffer_size hsl 1 size -
        aio hsl 1 any -
        aio_write hsl 1 flag -
        read_ahead hsl 1 size -
        directio hsl 1 any -
        directio_alignment hsl 1 offset -
        tcp_nopush hsl 1 flag -
        tcp_nodelay hsl 1 flag -
        send_timeout hsl 1 msec +
        send_lowat hsl 1 size -
        postpone_output hsl 1 size -
        limit_rate hsli 1 any -
        limit_rate_after hsli 1 any -
        keepalive_time hsl 1 msec +
        keepalive_timeout hsl 12 any +
        keepalive_requests hsl 1 number +
        keepalive_disable hsl 12 none,msie6,safari -
        satisfy hsl 1 all|any !
        lingering_close hsl 1 off|on|always -
        lingering_time hsl 1 msec -
        lingering_timeout hsl 1 msec -
        reset_timedout_connection hsl 1 flag -
        absolute_redirect hsl 1 flag +
        server_name_in_redirect hsl 1 flag -
        port_in_redirect hsl 1 flag -
        msie_padding hsl 1 flag -
        msie_refresh hsl 1 flag -
        log_not_found hsl 1 flag -
        log_subrequest hsl 1 flag -
        recursive_error_pages hsl 1 flag -
        server_tokens hsl 1 off|on|build -
        if_modified_since hsl 1 off|exact|before +
        max_ranges hsl 1 number +
        chunked_transfer_encoding hsl 1 flag -
        etag hsl 1 flag +
        error_page hsli 2+ any* -
        post_action hsli 1 any !
        open_file_cache hsl 12 any -
        open_file_cache_valid hsl 1 sec -
        open_file_cache_min_uses hsl 1 number -
        open_file_cache_errors hsl 1 flag -
        resolver hsl 1+ any -
        resolver_timeout hsl 1 msec -
        auth_delay hsl 1 msec -
        disable_symlinks hsl 12 any +
        try_files sl 2+ any +

        """

    /// `ngx_http_proxy_module`.
    private static let proxy = """
        proxy_pass lix 1 any +
        proxy_set_header hsl 2 any* +
        proxy_http_version hsl 1 1.0|1.1 +
        proxy_connect_timeout hsl 1 msec +
        proxy_read_timeout hsl 1 msec +
        proxy_send_timeout hsl 1 msec +
        proxy_next_upstream hsl 1+ error,timeout,invalid_header,non_idempotent,http_500,http_502,http_503,http_504,http_403,http_404,http_429,updating,off +
        proxy_next_upstream_tries hsl 1 number +
        proxy_next_upstream_timeout hsl 1 msec +
        proxy_redirect hsl 12 any* +
        proxy_buffering hsl 1 flag +
        proxy_request_buffering hsl 1 flag +
        proxy_buffer_size hsl 1 size -
        proxy_buffers hsl 2 any -
        proxy_busy_buffers_size hsl 1 size -
        proxy_max_temp_file_size hsl 1 size -
        proxy_temp_file_write_size hsl 1 size -
        proxy_temp_path hsl 1234 any -
        proxy_limit_rate hsl 1 size -
        proxy_socket_keepalive hsl 1 flag -
        proxy_send_lowat hsl 1 size -
        proxy_headers_hash_max_size hsl 1 number -
        proxy_headers_hash_bucket_size hsl 1 number -
        proxy_ignore_client_abort hsl 1 flag -
        proxy_intercept_errors hsl 1 flag -
        proxy_ignore_headers hsl 1+ any -
        proxy_force_ranges hsl 1 flag -
        proxy_hide_header hsl 1 any* !
        proxy_pass_header hsl 1 any* !
        proxy_pass_request_headers hsl 1 flag !
        proxy_pass_request_body hsl 1 flag !
        proxy_method hsl 1 any !
        proxy_set_body hsl 1 any !
        proxy_bind hsl 12 any !
        proxy_cookie_path hsl 12 any* !
        proxy_cookie_domain hsl 12 any* !
        proxy_cookie_flags hsl 1234 any* !
        proxy_store hsl 1 any -
        proxy_store_access hsl 123 any -
        proxy_cache hsl 1 any -
        proxy_cache_path h 2+ any* -
        proxy_cache_key hsl 1 any -
        proxy_cache_valid hsl 1+ any* -
        proxy_cache_methods hsl 1+ GET,HEAD,POST -
        proxy_cache_bypass hsl 1+ any -
        proxy_no_cache hsl 1+ any -
        proxy_cache_use_stale hsl 1+ any -
        proxy_cache_lock hsl 1 flag -
        proxy_cache_lock_timeout hsl 1 msec -
        proxy_cache_lock_age hsl 1 msec -
        proxy_cache_min_uses hsl 1 number -
        proxy_cache_background_update hsl 1 flag -
        proxy_cache_revalidate hsl 1 flag -
        proxy_cache_convert_head hsl 1 flag -
        proxy_cache_max_range_offset hsl 1 offset -
        proxy_ssl_server_name hsl 1 flag -
        proxy_ssl_name hsl 1 any -
        proxy_ssl_verify hsl 1 flag -
        proxy_ssl_verify_depth hsl 1 number -
        proxy_ssl_trusted_certificate hsl 1 any -
        proxy_ssl_certificate hsl 1 any -
        proxy_ssl_certificate_key hsl 1 any -
        proxy_ssl_password_file hsl 1 any -
        proxy_ssl_crl hsl 1 any -
        proxy_ssl_ciphers hsl 1 any -
        proxy_ssl_protocols hsl 1+ SSLv2,SSLv3,TLSv1,TLSv1.1,TLSv1.2,TLSv1.3 -
        proxy_ssl_session_reuse hsl 1 flag -
        proxy_ssl_conf_command hsl 2 any* -

        """

    /// `ngx_http_upstream_module` and what chooses servers.
    private static let upstream = """
        upstream h 1{ any* +
        server u 1+ any* +
        keepalive u 1 any +
        keepalive_requests u 1 number +
        keepalive_time u 1 msec +
        keepalive_timeout u 1 msec +
        least_conn u 0 any* +
        random u 012 any* +
        ip_hash u 0 any* +
        hash u 12 any* +
        zone u 12 any -

        """

    /// `ngx_http_ssl_module` and `ngx_http_v2_module`.
    private static let tls = """
        ssl hs 1 flag !
        ssl_certificate hs 1 any* +
        ssl_certificate_key hs 1 any* +
        ssl_password_file hs 1 any -
        ssl_dhparam hs 1 any -
        ssl_ecdh_curve hs 1 any -
        ssl_protocols hs 1+ SSLv2,SSLv3,TLSv1,TLSv1.1,TLSv1.2,TLSv1.3 +
        ssl_ciphers hs 1 any -
        ssl_buffer_size hs 1 size -
        ssl_verify_client hs 1 off|on|optional|optional_no_ca !
        ssl_verify_depth hs 1 number -
        ssl_client_certificate hs 1 any -
        ssl_trusted_certificate hs 1 any -
        ssl_prefer_server_ciphers hs 1 flag -
        ssl_session_cache hs 12 any -
        ssl_session_tickets hs 1 flag -
        ssl_session_ticket_key hs 1 any* -
        ssl_session_timeout hs 1 sec -
        ssl_crl hs 1 any -
        ssl_ocsp hs 1 off|on|leaf -
        ssl_ocsp_responder hs 1 any -
        ssl_ocsp_cache hs 1 any -
        ssl_stapling hs 1 flag -
        ssl_stapling_file hs 1 any -
        ssl_stapling_responder hs 1 any -
        ssl_stapling_verify hs 1 flag -
        ssl_early_data hs 1 flag -
        ssl_conf_command hs 2 any* -
        ssl_reject_handshake hs 1 flag +
        http2_max_concurrent_streams hs 1 number -
        http2_recv_timeout hs 1 msec -
        http2_body_preread_size hs 1 size -
        http2_chunk_size hsl 1 size -

        """

    /// The other modules of a usual build.
    private static let modules = """
        access_log hslix 1+ any* +
        log_format h 2+ any* -
        open_log_file_cache hsl 1234 any -
        add_header hsli 23 any* +
        add_trailer hsli 23 any* !
        expires hsli 12 any +
        index hsl 1+ any* +
        autoindex hsl 1 flag -
        autoindex_exact_size hsl 1 flag -
        autoindex_format hsl 1 html|json|jsonp|xml -
        autoindex_localtime hsl 1 flag -
        random_index l 1 flag !
        charset hsli 1 any -
        source_charset hsli 1 any -
        override_charset hsli 1 flag -
        charset_types hsl 1+ any* -
        charset_map h 2{ any* -
        gzip hsli 1 flag -
        gzip_buffers hsl 2 any -
        gzip_types hsl 1+ any* -
        gzip_comp_level hsl 1 number -
        gzip_window hsl 1 size -
        gzip_hash hsl 1 size -
        gzip_no_buffer hsl 1 flag -
        gzip_min_length hsl 1 size -
        gzip_static hsl 1 off|on|always -
        gzip_http_version hsl 1 1.0|1.1 -
        gzip_proxied hsl 1+ off,expired,no-cache,no-store,private,no_last_modified,no_etag,auth,any -
        gzip_disable hsl 1+ any* -
        gzip_vary hsl 1 flag -
        gunzip hsl 1 flag -
        gunzip_buffers hsl 2 any -
        rewrite slij 23 any* !
        return slij 12 any +
        break slij 0 any* !
        set slij 2 any* !
        if sl 1+{ any* !
        rewrite_log hslij 1 flag -
        uninitialized_variable_warn hslij 1 flag -
        map h 2{ any* +
        map_hash_max_size h 1 number -
        map_hash_bucket_size h 1 number -
        geo h 12{ any* +
        split_clients h 2{ any* +
        allow hslx 1 any* !
        deny hslx 1 any* +
        auth_basic hslx 1 any !
        auth_basic_user_file hslx 1 any -
        auth_request hsl 1 any !
        auth_request_set hsl 2 any* !
        limit_req_zone h 3 any* +
        limit_req hsl 123 any* +
        limit_req_log_level hsl 1 info|notice|warn|error +
        limit_req_status hsl 1 number +
        limit_req_dry_run hsl 1 flag +
        limit_conn_zone h 2 any* +
        limit_conn hsl 2 any* +
        limit_conn_log_level hsl 1 info|notice|warn|error +
        limit_conn_status hsl 1 number +
        limit_conn_dry_run hsl 1 flag +
        set_real_ip_from hsl 1 any* !
        real_ip_header hsl 1 any -
        real_ip_recursive hsl 1 flag -
        stub_status sl 01 any !
        mirror hsl 1 any* !
        mirror_request_body hsl 1 flag -
        sub_filter hsl 2 any* !
        sub_filter_types hsl 1+ any* -
        sub_filter_once hsl 1 flag -
        sub_filter_last_modified hsl 1 flag -
        ssi hsli 1 flag !
        ssi_silent_errors hsl 1 flag -
        ssi_types hsl 1+ any* -
        valid_referers sl 1+ any* !
        referer_hash_max_size sl 1 number -
        referer_hash_bucket_size sl 1 number -
        secure_link hsl 1 any !
        secure_link_md5 hsl 1 any -
        secure_link_secret l 1 any !
        userid hsl 1 off|log|v1|on !
        userid_name hsl 1 any -
        userid_domain hsl 1 any -
        userid_path hsl 1 any -
        userid_expires hsl 1 any -
        dav_methods hsl 1+ off,put,delete,mkcol,copy,move !
        dav_access hsl 123 any -
        create_full_put_path hsl 1 flag -
        min_delete_depth hsl 1 number -
        add_before_body hsl 1 any !
        add_after_body hsl 1 any !
        addition_types hsl 1+ any* -
        slice hsl 1 size -
        empty_gif l 0 any !
        mp4 l 0 any !
        flv l 0 any !

        """

    /// FastCGI, uwsgi, SCGI, gRPC and memcached speak another protocol to the upstream than HTTP/1.1: refused as a whole.
    private static let gateways: [Substring] = {
        let common =
            ["read_timeout", "send_timeout", "connect_timeout"].map { "\($0) hsl 1 msec !" } + [
                "pass li 1 any !", "bind hsl 12 any !", "buffer_size hsl 1 size !", "next_upstream hsl 1+ any !",
                "next_upstream_tries hsl 1 number !", "next_upstream_timeout hsl 1 msec !", "socket_keepalive hsl 1 flag !",
            ]
        let gateway = [
            "param hsl 23 any* !", "buffers hsl 2 any !", "buffering hsl 1 flag !", "request_buffering hsl 1 flag !",
            "busy_buffers_size hsl 1 size !", "max_temp_file_size hsl 1 size !", "temp_file_write_size hsl 1 size !",
            "temp_path hsl 1234 any !", "cache hsl 1 any !", "cache_path h 2+ any* !", "cache_key hsl 1 any !", "cache_valid hsl 1+ any* !",
            "cache_bypass hsl 1+ any !", "cache_use_stale hsl 1+ any !", "cache_methods hsl 1+ any !", "cache_lock hsl 1 flag !",
            "no_cache hsl 1+ any !", "hide_header hsl 1 any* !", "pass_header hsl 1 any* !", "ignore_headers hsl 1+ any !",
            "ignore_client_abort hsl 1 flag !", "intercept_errors hsl 1 flag !", "pass_request_headers hsl 1 flag !",
            "pass_request_body hsl 1 flag !", "store hsl 1 any !", "store_access hsl 123 any !", "limit_rate hsl 1 size !",
        ]
        let own = [
            "fastcgi": common + gateway + [
                "index hsl 1 any !", "split_path_info l 1 any !", "keep_conn hsl 1 flag !", "catch_stderr hsl 1 any* !",
            ],
            "uwsgi": common + gateway + ["modifier1 hsl 1 number !", "modifier2 hsl 1 number !"],
            "scgi": common + gateway,
            "grpc": common + [
                "set_header hsl 2 any* !", "hide_header hsl 1 any* !", "pass_header hsl 1 any* !", "intercept_errors hsl 1 flag !",
            ],
            "memcached": common + ["gzip_flag hsl 1 any !"],
        ]
        return own.flatMap { name, lines in lines.map { Substring("\(name)_\($0)") } }
    }()
}
