import BalancerKitProxy

/// Files as `root` or `alias`, with what goes with them.
struct FileRendering {
    private let files: StaticFiles
    private let route: ProxyRoute

    init(_ files: StaticFiles, _ route: ProxyRoute) throws(NginxError) {
        self.files = files
        self.route = route
        guard !files.hidesDotFiles else { throw .notRenderable("nginx hides no files by itself: files.hidesDotFiles") }
        guard files.cacheControl == nil else { throw .notRenderable("files.cacheControl cannot be rendered") }
        guard !files.directory.contains("$") else { throw .notRenderable("a directory with a dollar sign") }
        try RenderingPlan.checkText(files.directory, "a directory")
        if files.mapping == .alias, route.expression != nil { throw .notRenderable("an alias needs a prefix") }
        for word in files.indexFiles + [files.fallbackFile ?? "/x", files.defaultContentType] {
            try RenderingPlan.checkText(word, "a name")
            guard !word.contains("$") else { throw .notRenderable("a name with a dollar sign") }
        }
    }

    func write(to writer: inout DirectiveWriter) throws(NginxError) {
        writer.write(self.files.mapping == .root ? "root" : "alias", self.files.directory)
        if !self.files.indexFiles.isEmpty { writer.write(["index"] + self.files.indexFiles) }
        try self.writeTypes(to: &writer)
        writer.write("absolute_redirect", "off")
        writer.write("max_ranges", "\(self.files.maximumRanges)")
        writer.write("etag", self.files.sendsETag ? "on" : "off")
        switch self.files.ifModifiedSince {
        case .exact: writer.write("if_modified_since", "exact")
        case .before: writer.write("if_modified_since", "before")
        case .off: writer.write("if_modified_since", "off")
        }
        switch self.files.symbolicLinks {
        case .followed: writer.write("disable_symlinks", "off")
        case .refused: writer.write("disable_symlinks", "on", "from=\(self.files.directory)")
        case .followedWithinRoot:
            throw .notRenderable("nginx follows symbolic links everywhere or nowhere: files.symbolicLinks")
        }
        if let fallback = self.files.fallbackFile {
            writer.write(["try_files", "$uri"] + (self.files.indexFiles.isEmpty ? [] : ["$uri/"]) + [fallback])
        } else if self.files.indexFiles.isEmpty {
            writer.write("try_files", "$uri", "=404")
        }
    }

    private func writeTypes(to writer: inout DirectiveWriter) throws(NginxError) {
        guard !self.files.defaultContentType.isEmpty else { throw .notRenderable("nginx always has a default type") }
        writer.write("default_type", self.files.defaultContentType)
        var endings: [String: [String]] = [:]
        for (ending, type) in self.files.contentTypes {
            for word in [ending, type] {
                guard !word.isEmpty else { throw .notRenderable("an empty type") }
                try RenderingPlan.checkText(word, "a type")
            }
            // A word that within `types` stands for a file.
            guard type.lowercased() != "include" else { throw .notRenderable("a type of the name \(type)") }
            endings[type, default: []].append(ending)
        }
        writer.open("types")
        for (type, endings) in endings.sorted(by: { $0.key < $1.key }) { writer.write([type] + endings.sorted()) }
        writer.close()
    }
}
