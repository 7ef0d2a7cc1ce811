//! What a webhook says has changed: it is read now instead of with the next poll, and nothing more is believed.

/// Something to be read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dirty {
    /// The source's number of the repository; `None`: which repositories, or teams, there are.
    pub repository: Option<u64>,
    /// Which part of it.
    pub stream: Stream,
}

/// A part of what a source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The repository itself: its name, whether it is there.
    Repository,
    /// The default branch.
    Commits,
    /// Pull requests.
    Changes,
    /// GitHub Deployments and their statuses.
    Deployments,
    /// Releases.
    Releases,
    /// Tags.
    Tags,
    /// Workflow runs.
    Runs,
    /// One workflow run, by the source's number of it, that was run again: lists show it where it was before.
    Run(u64),
    /// Issues, which may be incidents.
    Issues,
    /// Teams and what they hold.
    Teams,
}
