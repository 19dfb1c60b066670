//! The text of `INFO`.

use bytes::Bytes;

use crate::session::Shared;

/// The version of Redis whose answers these are; some clients choose what to send by it.
pub(crate) const REDIS_VERSION: &str = "7.0.15";

/// The sections called `names`, in any case; all of them where there are no names. Unknown ones are left out.
pub(crate) fn render(shared: &Shared, names: &[Bytes]) -> String {
    let wanted = |section: &str| {
        let named = |name: &Bytes| {
            [section, "all", "everything", "default"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        };
        names.is_empty() || names.iter().any(named)
    };
    let sections = sections(shared);
    let rendered: Vec<String> = sections
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, lines)| format!("# {name}\r\n{lines}"))
        .collect();
    rendered.join("\r\n")
}

fn sections(shared: &Shared) -> [(&'static str, String); 6] {
    let (port, uptime) = (shared.port, shared.since.elapsed().as_secs());
    let (connected, max_clients) = (shared.clients.count(), shared.limits.max_connections);
    let store = shared.keyspace.lock();
    let (used, max_memory, waiting) = (store.used(), store.max_memory(), store.waiting());
    let keyspace = match (store.len(), store.len_expiring()) {
        (0, _) => String::new(),
        (keys, expires) => format!("db0:keys={keys},expires={expires},avg_ttl=0\r\n"),
    };
    [
        (
            "Server",
            format!(
                "redis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\nserver_name:perf-coordinator\r\n\
                 tcp_port:{port}\r\nuptime_in_seconds:{uptime}\r\n"
            ),
        ),
        (
            "Clients",
            format!(
                "connected_clients:{connected}\r\nmaxclients:{max_clients}\r\nblocked_clients:{waiting}\r\n"
            ),
        ),
        (
            "Memory",
            format!(
                "used_memory:{used}\r\nmaxmemory:{max_memory}\r\nmaxmemory_policy:noeviction\r\n"
            ),
        ),
        // Some clients hold their commands back until they have read this.
        ("Persistence", "loading:0\r\n".to_owned()),
        ("Replication", "role:master\r\nconnected_slaves:0\r\n".to_owned()),
        ("Keyspace", keyspace),
    ]
}
