public import ScaleCore

extension ServiceURL.Scheme {
    /// `memcached://host[:port][,host[:port]…]`: the servers of a pool. All clients of a pool must name the same ones, in any order.
    public static let memcached = ServiceURL.Scheme("memcached", defaultPort: 11211, hosts: .oneOrMore)
}
