//! What people write.

pub(super) const VERBS: [&str; 12] = [
    "Add", "Fix", "Speed up", "Simplify", "Remove", "Guard", "Rework", "Log", "Cache", "Document", "Split",
    "Retry",
];

pub(super) const THINGS: [&str; 24] = [
    "currency rounding",
    "the session cache",
    "address validation",
    "pagination of orders",
    "the retry queue",
    "webhook signatures",
    "the health check",
    "feature flag lookup",
    "the price index",
    "stock reservation",
    "audit trail export",
    "token refresh",
    "image resizing",
    "the nightly job",
    "search synonyms",
    "login throttling",
    "the metrics endpoint",
    "schema migration",
    "tax calculation",
    "the checkout form",
    "partial refunds",
    "connection pooling",
    "locale handling",
    "the event consumer",
];

pub(super) const LIBRARIES: [&str; 8] =
    ["tokio", "serde", "react", "spring-boot", "numpy", "postgres", "openssl", "protobuf"];

pub(super) const SYMPTOMS: [&str; 10] = [
    "Error rate above 5 %",
    "p99 latency above 2 s",
    "Queue is growing",
    "Health check fails",
    "Orders are stuck",
    "Login fails for some",
    "Memory is running out",
    "Replica lags behind",
    "Certificate problem",
    "No data for 10 minutes",
];

pub(super) const PRIORITIES: [&str; 4] = ["P1", "P2", "P3", "P4"];
