import Testing

/// A text in some block, and nginx's words for what is wrong with it.
struct ValidationCase: CustomTestStringConvertible, Sendable {
    enum Block: Sendable { case main, events, http, server, location, upstream }

    let block: Block
    let text: String
    /// Nil where nginx accepts the text.
    let message: String?

    var testDescription: String { "\(self.block): \(String(self.text.prefix(60)))" }

    init(_ block: Block, _ text: String, _ message: String? = nil) {
        self.block = block
        self.text = text
        self.message = message
    }

    /// The whole file: the text stands on line 2.
    var file: String {
        let head = "pid nginx.pid; error_log stderr;"
        let http =
            "http { access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;"
        return switch self.block {
        case .main: "\(head)\n\(self.text)\n"
        case .events: "\(head) events {\n\(self.text)\n}"
        case .http: "\(head) events {} \(http)\n\(self.text)\n}"
        case .server: "\(head) events {} \(http) server { listen 127.0.0.1:20976;\n\(self.text)\n}}"
        case .location: "\(head) events {} \(http) server { listen 127.0.0.1:20976; location /l {\n\(self.text)\n}}}"
        case .upstream: "\(head) events {} \(http) upstream u {\n\(self.text)\n}}"
        }
    }
}

let notHere = "directive is not allowed here in FILE:2"
let badCount = "invalid number of arguments in"
let uriPart =
    #""proxy_pass" cannot have URI part in location given by regular expression, or inside named location, or inside "if" statement, "#
    + #"or inside "limit_except" block in FILE:2"#

/// For each rule one that just passes and one that just fails.
let validationCases: [ValidationCase] = [
    // Known, and in its place.
    .init(.main, "events {}"),
    .init(.main, "worker_processes 2;", #"no "events" section in configuration"#),
    .init(.main, "event {}", #"unknown directive "event" in FILE:2"#),
    .init(.http, "proxy_pas http://a;", #"unknown directive "proxy_pas" in FILE:2"#),
    .init(.http, "fastcgi_nonsense a;", #"unknown directive "fastcgi_nonsense" in FILE:2"#),
    .init(.http, "proxy_pass http://127.0.0.1;", "\"proxy_pass\" \(notHere)"),
    .init(.main, "server {}", "\"server\" \(notHere)"),
    .init(.location, "listen 80;", "\"listen\" \(notHere)"),
    .init(.server, "upstream a { server 127.0.0.1; }", "\"upstream\" \(notHere)"),
    .init(.upstream, "server 127.0.0.1; listen 80;", "\"listen\" \(notHere)"),
    .init(.server, "worker_connections 5;", "\"worker_connections\" \(notHere)"),
    // Form.
    .init(.server, "location / {}"),
    .init(.server, "location /;", #"directive "location" has no opening "{" in FILE:2"#),
    .init(.http, "sendfile on {}", #"directive "sendfile" is not terminated by ";" in FILE:2"#),
    .init(.server, "server_name a\nlocation / {}", #"directive "server_name" is not terminated by ";" in FILE:3"#),
    .init(.http, "sendfile;", "\(badCount) \"sendfile\" directive in FILE:2"),
    .init(.http, "sendfile on off;", "\(badCount) \"sendfile\" directive in FILE:2"),
    .init(.location, "proxy_set_header Host;", "\(badCount) \"proxy_set_header\" directive in FILE:2"),
    .init(.location, "proxy_set_header Host a b;", "\(badCount) \"proxy_set_header\" directive in FILE:2"),
    .init(.server, "location = / x {}", "\(badCount) \"location\" directive in FILE:2"),
    .init(.http, "include;", "\(badCount) \"include\" directive in FILE:2"),
    .init(.upstream, "server;", "\(badCount) \"server\" directive in FILE:2"),
    .init(.upstream, "least_conn x; server 127.0.0.1;", "\(badCount) \"least_conn\" directive in FILE:2"),
    // Once.
    .init(.http, "sendfile on;\nsendfile on;", #""sendfile" directive is duplicate in FILE:3"#),
    .init(.http, "sendfile on; server { listen 127.0.0.1:20977; sendfile on; }"),
    .init(.location, "proxy_pass http://127.0.0.1:1; proxy_pass http://127.0.0.1:1;", #""proxy_pass" directive is duplicate in FILE:2"#),
    .init(.location, "proxy_read_timeout 1s; proxy_read_timeout 2s;", #""proxy_read_timeout" directive is duplicate in FILE:2"#),
    .init(.location, "proxy_set_header A a; proxy_set_header A a;"),
    .init(.server, "server_name a; server_name b;"),
    .init(.events, "worker_connections 5; worker_connections 5;", #""worker_connections" directive is duplicate in FILE:2"#),
    .init(.http, "upstream a { server 127.0.0.1; } upstream a { server 127.0.0.1; }", #"duplicate upstream "a" in FILE:2"#),
    .init(.server, "location /a {} location /a {}", #"duplicate location "/a" in FILE:2"#),
    .init(.server, "location /a {}\nlocation ^~ /a {}", #"duplicate location "/a" in FILE:3"#),
    .init(.server, "location /a {} location = /a {}"),
    .init(.server, "location = /a {} location =/a {}", #"duplicate location "/a" in FILE:2"#),
    .init(.server, "location ~ a {} location ~ a {}"),
    // Blocks.
    .init(.http, "upstream a { }", "no servers are inside upstream in FILE:2"),
    .init(.http, "server { listen 127.0.0.1:20977;", #"unexpected end of file, expecting "}" in FILE:3"#),
    .init(.server, "}}}", #"unexpected "}" in FILE:2"#),
    .init(.http, "map $uri $m { a { } }", #"unexpected "{" in FILE:2"#),
    .init(.http, "map $uri $m { default a; /x b; }"),
    .init(.server, "location /a { location /a/b {} }"),
    .init(.server, "location /a { location /b {} }", #"location "/b" is outside location "/a" in FILE:2"#),
    .init(.server, "location = /a { location /a {} }", #"location "/a" cannot be inside the exact location "/a" in FILE:2"#),
    .init(.server, "location @a { location /a {} }", #"location "/a" cannot be inside the named location "@a" in FILE:2"#),
    .init(.server, "location /a { location @a {} }", #"named location "@a" can be on the server level only in FILE:2"#),
    .init(.server, "location ! /a {}", #"invalid location modifier "!" in FILE:2"#),
    // Values.
    .init(.http, "sendfile ON;"),
    .init(.http, "sendfile yes;", #"invalid value "yes" in "sendfile" directive, it must be "on" or "off" in FILE:2"#),
    .init(.http, "client_max_body_size 1g;"),
    .init(.http, "client_max_body_size 1t;", #""client_max_body_size" directive invalid value in FILE:2"#),
    .init(.http, "client_max_body_size k;", #""client_max_body_size" directive invalid value in FILE:2"#),
    .init(.http, "client_max_body_size -1;", #""client_max_body_size" directive invalid value in FILE:2"#),
    .init(.http, "client_body_buffer_size 16K;"),
    .init(.http, "client_body_buffer_size 1g;", #""client_body_buffer_size" directive invalid value in FILE:2"#),
    .init(.http, "proxy_read_timeout 90;"),
    .init(.http, "proxy_read_timeout \"1h 30m\";"),
    .init(.http, "proxy_read_timeout 1h30m10s5ms;"),
    .init(.http, "proxy_read_timeout 500ms;"),
    .init(.http, "proxy_read_timeout \"10 \";"),
    .init(.http, "proxy_read_timeout 30m1h;", #""proxy_read_timeout" directive invalid value in FILE:2"#),
    .init(.http, "proxy_read_timeout 1h1h;", #""proxy_read_timeout" directive invalid value in FILE:2"#),
    .init(.http, "proxy_read_timeout 1M;", #""proxy_read_timeout" directive invalid value in FILE:2"#),
    .init(.http, "proxy_read_timeout 1y;", #""proxy_read_timeout" directive invalid value in FILE:2"#),
    .init(.http, "proxy_read_timeout s;", #""proxy_read_timeout" directive invalid value in FILE:2"#),
    .init(.http, "proxy_read_timeout 99999999999999999999;", #""proxy_read_timeout" directive invalid value in FILE:2"#),
    .init(.http, "open_file_cache_valid 1y;"),
    .init(.http, "open_file_cache_valid 1M;"),
    .init(.http, "open_file_cache_valid 1ms;", #""open_file_cache_valid" directive invalid value in FILE:2"#),
    .init(.http, "keepalive_requests 10;"),
    .init(.http, "keepalive_requests ten;", #""keepalive_requests" directive invalid number in FILE:2"#),
    .init(.http, "proxy_http_version 1.1;"),
    .init(.http, "proxy_http_version 2;", #"invalid value "2" in FILE:2"#),
    .init(.http, "proxy_next_upstream error http_500;"),
    .init(.http, "proxy_next_upstream http_418;", #"invalid value "http_418" in FILE:2"#),
    .init(.main, "events {} worker_processes few;", #""worker_processes" directive invalid value in FILE:2"#),
    .init(.http, "large_client_header_buffers 4 8k;"),
    // Upstreams.
    .init(.upstream, "server 127.0.0.1:8000 weight=5 max_fails=0 fail_timeout=1m max_conns=3 backup; server 127.0.0.2 down;"),
    .init(.upstream, "server 127.0.0.1 weight=0;", #"invalid parameter "weight=0" in FILE:2"#),
    .init(.upstream, "server 127.0.0.1 weight=x;", #"invalid parameter "weight=x" in FILE:2"#),
    .init(.upstream, "server 127.0.0.1 fail_timeout=1ms;", #"invalid parameter "fail_timeout=1ms" in FILE:2"#),
    .init(.upstream, "server 127.0.0.1 slow;", #"invalid parameter "slow" in FILE:2"#),
    .init(.upstream, "server 127.0.0.1:99999;", #"invalid port in upstream "127.0.0.1:99999" in FILE:2"#),
    .init(.upstream, "server 127.0.0.1:0;", #"invalid port in upstream "127.0.0.1:0" in FILE:2"#),
    .init(.upstream, "server :80;", #"no host in upstream ":80" in FILE:2"#),
    .init(.upstream, "server [::1]:80;"),
    .init(.upstream, "server unix:/tmp/a;"),
    .init(.upstream, "server 127.0.0.1; keepalive 3;"),
    .init(.upstream, "server 127.0.0.1; keepalive 0;", #"invalid value "0" in "keepalive" directive in FILE:2"#),
    .init(.upstream, "random two least_conn; server 127.0.0.1;"),
    .init(.upstream, "random three; server 127.0.0.1;", #"invalid parameter "three" in FILE:2"#),
    // Servers.
    .init(.server, "listen 127.0.0.1:20978 backlog=5 default_server;"),
    .init(.server, "listen 127.0.0.1:20978 backlog=0;", #"invalid backlog "backlog=0" in FILE:2"#),
    .init(.server, "listen 127.0.0.1:20978 fast;", #"invalid parameter "fast" in FILE:2"#),
    .init(.server, "listen 127.0.0.1:99999;", #"invalid port in "127.0.0.1:99999" of the "listen" directive in FILE:2"#),
    .init(
        .http, "server {\nlisten 127.0.0.1:20979 ssl; }",
        #"no "ssl_certificate" is defined for the "listen ... ssl" directive in FILE:2"#),
    .init(.server, "server_name *;", #"server name "*" is invalid in FILE:2"#),
    .init(.server, "server_name *a.b;", #"server name "*a.b" is invalid in FILE:2"#),
    .init(.server, "server_name .;", #"server name "." is invalid in FILE:2"#),
    .init(.server, "server_name ~;", #"empty regex in server name "~" in FILE:2"#),
    .init(.server, "server_name *.a.b .c d.* ~^e$ \"\" _;"),
    .init(.server, "listen 127.0.0.1:20978;\nlisten 127.0.0.1:20978;", "a duplicate listen 127.0.0.1:20978 in FILE:3"),
    .init(
        .http, "server { listen 127.0.0.1:20979 default_server; }\nserver { listen 127.0.0.1:20979 default_server; }",
        "a duplicate default server for 127.0.0.1:20979 in FILE:3"),
    .init(.location, "return 404;"),
    .init(.location, "return 1000;", #"invalid return code "1000" in FILE:2"#),
    .init(.location, "return here;", #"invalid return code "here" in FILE:2"#),
    .init(.location, "return http://a b;", #"invalid return code "http://a" in FILE:2"#),
    .init(.location, "return http://a;"),
    // Limits.
    .init(.http, "limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s; limit_req zone=a burst=5 nodelay;"),
    .init(.http, "limit_req_zone $binary_remote_addr rate=10r/m zone=a:32k; limit_req zone=a delay=3;"),
    .init(.http, "limit_req_zone $uri zone=a rate=1r/s;", #"invalid zone size "zone=a" in FILE:2"#),
    .init(.http, "limit_req_zone $uri zone=a:x rate=1r/s;", #"invalid zone size "zone=a:x" in FILE:2"#),
    .init(.http, "limit_req_zone $uri zone=a:31k rate=1r/s;", #"zone "zone=a:31k" is too small in FILE:2"#),
    .init(.http, "limit_req_zone $uri zone=a:1m rate=0r/s;", #"invalid rate "rate=0r/s" in FILE:2"#),
    .init(.http, "limit_req_zone $uri zone=a:1m burst=1;", #"invalid parameter "burst=1" in FILE:2"#),
    .init(.http, "limit_req_zone $uri rate=1r/s rate=1r/s;", #""limit_req_zone" must have "zone" parameter in FILE:2"#),
    .init(.location, "limit_req burst=5;", #""limit_req" must have "zone" parameter in FILE:2"#),
    .init(.location, "limit_req zone=a burst=0;", #"invalid burst value "burst=0" in FILE:2"#),
    .init(.location, "limit_req zone=a delay=0;", #"invalid delay value "delay=0" in FILE:2"#),
    .init(.location, "limit_req zone=a fast;", #"invalid parameter "fast" in FILE:2"#),
    .init(.location, "limit_conn a 0;", #"invalid number of connections "0" in FILE:2"#),
    .init(.location, "limit_conn a 65536;", "connection limit must be less 65536 in FILE:2"),
    .init(.http, "limit_conn_zone $uri zone=a:1m; limit_conn a 5;"),
    .init(.http, "limit_req zone=a;", #"zero size shared memory zone "a""#),
    .init(.location, "limit_conn a 5;", #"zero size shared memory zone "a""#),
    .init(.http, "limit_conn_zone $uri size=1m;", #"invalid parameter "size=1m" in FILE:2"#),
    .init(.upstream, "hash $uri consistent; server 127.0.0.1;"),
    .init(.upstream, "hash $uri consistant; server 127.0.0.1;", #"invalid parameter "consistant" in FILE:2"#),
    .init(.upstream, "ip_hash x; server 127.0.0.1;", "\(badCount) \"ip_hash\" directive in FILE:2"),
    // Targets and variables.
    .init(.location, "proxy_pass http://127.0.0.1:1/x;"),
    .init(.location, "proxy_pass 127.0.0.1:1;", "invalid URL prefix in FILE:2"),
    .init(.location, "proxy_pass http://127.0.0.1:99999;", #"invalid port in upstream "127.0.0.1:99999" in FILE:2"#),
    .init(.location, "proxy_pass http://;", #"no host in upstream "" in FILE:2"#),
    .init(.server, "location ~ x { proxy_pass http://127.0.0.1:1; }"),
    .init(.server, "location ~ x { proxy_pass http://127.0.0.1:1/; }", uriPart),
    .init(.server, "location @x { proxy_pass http://127.0.0.1:1/; }", uriPart),
    .init(
        .http, "upstream u { server 127.0.0.1; } server { listen 127.0.0.1:20977; location / {\nproxy_pass http://u:81; } }",
        #"upstream "u" may not have port 81 in FILE:3"#),
    .init(.location, "proxy_set_header A $host$http_x_y$arg_z$1;"),
    .init(.location, "proxy_set_header A ${host}x;"),
    .init(.location, "proxy_set_header A $;", "invalid variable name in FILE:2"),
    .init(.location, "proxy_set_header A ${host;", #"the closing bracket in "host" variable is missing in FILE:2"#),
    .init(.location, "proxy_set_header A $nonsense;", #"unknown "nonsense" variable"#),
    .init(.location, "set $mine 1; proxy_set_header A $mine;"),
    // Fields and times of responses.
    .init(.location, "add_header X-A b always; add_header X-A \"c $uri\"; add_header ETag '';"),
    .init(.location, "add_header X-A;", "\(badCount) \"add_header\" directive in FILE:2"),
    .init(.location, "add_header X-A b c;", #"invalid parameter "c" in FILE:2"#),
    .init(.location, "add_header X-A b Always;", #"invalid parameter "Always" in FILE:2"#),
    .init(.location, "add_header X-A ${b;", #"the closing bracket in "b" variable is missing in FILE:2"#),
    .init(.http, "expires 1h; server { expires -1; location /a { expires modified -1d; } location /b { expires @15h30m; } }"),
    .init(.location, "expires +1h;"),
    .init(.location, "expires @24h;"),
    .init(.location, "expires $uri;"),
    .init(.location, "expires off; expires off;", #""expires" directive is duplicate in FILE:2"#),
    .init(.location, "expires modified off;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires Modified 1h;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires modified @1h;", #""expires" directive daily time cannot be used with "modified" parameter in FILE:2"#),
    .init(.location, "expires @25h;", #""expires" directive daily time value must be less than 24 hours in FILE:2"#),
    .init(.location, "expires OFF;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires '';", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires -;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires --1;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires 1ms;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires 99999999999999999999;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires 9999999999999y;", #""expires" directive invalid value in FILE:2"#),
    .init(.location, "expires $nonsense;", #"unknown "nonsense" variable"#),
    // Logs.
    .init(
        .http,
        "log_format own '$uri'; access_log a.log own; server { access_log off; location / { access_log b.log; access_log c.log own; } }"),
    .init(
        .location,
        "access_log a.log combined buffer=32k flush=5s; access_log b.log combined gzip=9 if=$uri; access_log c.log combined gzip flush=1s;"),
    .init(.server, "access_log off b;", #"invalid parameter "b" in FILE:2"#),
    .init(.server, "access_log a.log nonsense;", #"unknown log format "nonsense" in FILE:2"#),
    .init(.http, "access_log a.log own; log_format own a;", #"unknown log format "own" in FILE:2"#),
    .init(.server, "access_log a.log combined buffer=x;", #"invalid buffer size "x" in FILE:2"#),
    .init(.server, "access_log a.log combined buffer=0;", #"invalid buffer size "0" in FILE:2"#),
    .init(.server, "access_log a.log combined buffer=1k flush=0;", #"invalid flush time "0" in FILE:2"#),
    .init(.server, "access_log a.log combined flush=5s;", #"no buffer is defined for access_log "a.log" in FILE:2"#),
    .init(.server, "access_log a.log combined gzip=10;", #"invalid compression level "10" in FILE:2"#),
    .init(.server, "access_log a.log combined bufer=1k;", #"invalid parameter "bufer=1k" in FILE:2"#),
    .init(.server, "access_log;", "\(badCount) \"access_log\" directive in FILE:2"),
    .init(.location, "error_log e.log info; error_log f.log debug_http debug_event;"),
    .init(.location, "error_log e.log Info;", #"invalid log level "Info" in FILE:2"#),
    .init(.location, "error_log e.log info warn;", #"duplicate log level "warn" in FILE:2"#),
]
