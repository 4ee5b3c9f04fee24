//! The systems that are measured.

/// What people use.
pub struct System {
    /// What `--systems` knows it by.
    pub key: &'static str,
    /// What the tables call it.
    pub name: &'static str,
    /// What measures it.
    pub program: Program,
    /// Connections at once, at most.
    pub most_connections: usize,
    /// Whether its process can be measured with clients that only wait.
    pub has_clients: bool,
    /// What its programs find in their environment.
    pub environment: &'static [(&'static str, &'static str)],
}

/// By its language, which is where it is built.
pub enum Program {
    Cpp(&'static str),
    Rust(&'static str),
}

const fn system(key: &'static str, name: &'static str, program: Program) -> System {
    System { key, name, program, most_connections: usize::MAX, has_clients: true, environment: &[] }
}

/// Qt's dispatcher on Linux uses GLib unless this is set.
const WITHOUT_GLIB: &[(&str, &str)] = &[("QT_NO_GLIB", "1")];

/// All of them. The first is the limit that the others are compared with.
pub const SYSTEMS: [System; 16] = [
    system("epoll", "epoll", Program::Cpp("system_epoll")),
    system("moorline-c", "Moorline C", Program::Cpp("system_moorline")),
    system("moorline-cpp", "Moorline C++", Program::Cpp("system_moorline_cpp")),
    system("moorline-rust", "Moorline Rust", Program::Rust("system_moorline_rust")),
    System {
        has_clients: false,
        ..system("moorline-exchange", "Moorline exchange", Program::Cpp("system_exchange"))
    },
    system("moorline-qt", "Moorline Qt", Program::Cpp("system_moorline_qt")),
    System {
        environment: WITHOUT_GLIB,
        ..system("moorline-qt-plain", "Moorline Qt, no GLib", Program::Cpp("system_moorline_qt"))
    },
    // With more it takes minutes to connect.
    System {
        most_connections: 6_000,
        ..system("qlocalsocket", "QLocalSocket", Program::Cpp("system_qlocalsocket"))
    },
    System {
        most_connections: 6_000,
        environment: WITHOUT_GLIB,
        ..system("qlocalsocket-plain", "QLocalSocket, no GLib", Program::Cpp("system_qlocalsocket"))
    },
    system("libuv", "libuv", Program::Cpp("system_libuv")),
    system("asio", "Boost.Asio", Program::Cpp("system_asio")),
    system("tokio", "tokio", Program::Rust("system_tokio")),
    system("interprocess", "interprocess (tokio)", Program::Rust("system_interprocess")),
    // It takes two threads a connection.
    System {
        most_connections: 10,
        ..system(
            "interprocess-threads",
            "interprocess (threads)",
            Program::Rust("system_interprocess_threads"),
        )
    },
    // Three descriptors a connection.
    System {
        most_connections: 6_000,
        ..system("zeromq", "ZeroMQ (messages)", Program::Cpp("system_zeromq"))
    },
    system("nng", "nng (messages)", Program::Cpp("system_nng")),
];

/// What `--systems` knows the parts by that are measured on their own.
pub const MICRO: &str = "micro";
