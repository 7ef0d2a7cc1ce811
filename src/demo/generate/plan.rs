//! Who does what how often: the example organisation as data.

use chrono::Weekday;

use crate::demo::world::pull::Method;
use crate::model::time::Span;

/// The organisation's login.
pub const ORGANIZATION: &str = "acme";
/// How many days are told.
pub const DAYS: i64 = 180;
/// How many teams there are.
pub const TEAM_COUNT: usize = 6;
/// How many repositories there are.
pub const REPOSITORY_COUNT: usize = 40;
/// The service that belongs to no component.
pub(in crate::demo) const SERVICE_OF_NOBODY: &str = "Office network";
/// When the archived repository was archived.
pub(super) const ARCHIVED_DAYS_AGO: i64 = 70;
/// Since when, in days before the present, one team is careless, and how many of its rollouts break since then: three times
/// as many as before, so that there is a regression to be found.
pub(super) const CARELESS_DAYS_AGO: i64 = 42;
pub(super) const CARELESS_TEAM: &str = "checkout";
pub(super) const CARELESS_FAILURES_PER_MILLE: u32 = 200;
/// How likely a service has an incident on a day that no deployment caused.
pub(super) const NOISE_PER_MILLE: u32 = 14;
/// How likely somebody opens an issue in a repository on a day.
pub(super) const ISSUES_PER_MILLE: u32 = 25;

/// When what was merged is rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cadence {
    /// So long after every merge, or about.
    OnMerge(Span),
    /// Every working day.
    Daily,
    /// Every so many days.
    Every(i64),
    /// On Tuesdays.
    Weekly,
}

impl Cadence {
    /// Whether a train leaves on this day.
    pub(super) fn leaves(self, day: i64, weekday: Weekday) -> bool {
        match self {
            Self::OnMerge(_) => false,
            Self::Daily => true,
            Self::Every(days) => day % days == 0,
            Self::Weekly => weekday == Weekday::Tue,
        }
    }
}

/// How a team works. What is likely is told in thousandths.
#[derive(Debug)]
pub(in crate::demo) struct Habits {
    pub(in crate::demo) team: &'static str,
    pub(super) people: [&'static str; 5],
    pub(super) repositories: &'static [&'static str],
    pub(super) opens_per_mille: u32,
    pub(super) pushes_per_mille: u32,
    pub(super) coding: Span,
    pub(super) pickup: Span,
    pub(super) review: Span,
    pub(super) method: Method,
    pub(super) cadence: Cadence,
    pub(super) environments: &'static [&'static str],
    pub(super) unreviewed_per_mille: u32,
    pub(super) failed_attempts_per_mille: u32,
    pub(super) failures_per_mille: u32,
}

/// What is special about a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Deployed, like most.
    Service,
    /// Deployed, and nobody's.
    Unowned,
    /// Deployed by merging: no deployment is recorded.
    Merges,
    /// Never deployed.
    Handbook,
    /// Deployed until it was archived.
    Archived,
    /// Nothing in it.
    Empty,
    /// Somebody else's.
    Fork,
}

impl Role {
    pub(super) const fn deploys(self) -> bool {
        match self {
            Self::Service | Self::Unowned | Self::Archived => true,
            Self::Merges | Self::Handbook | Self::Empty | Self::Fork => false,
        }
    }
}

pub(in crate::demo) static TEAMS: [Habits; TEAM_COUNT] = [
    Habits {
        team: "payments",
        people: ["ada", "bela", "chen", "dora", "emre"],
        repositories: &[
            "payments-api",
            "payments-ledger",
            "payments-webhooks",
            "invoicing",
            "fraud-check",
            "payout-worker",
        ],
        opens_per_mille: 1_045,
        pushes_per_mille: 0,
        coding: Span::from_hours(10),
        pickup: Span::from_hours(3),
        review: Span::from_hours(5),
        method: Method::Squash,
        cadence: Cadence::OnMerge(Span::from_minutes(25)),
        environments: &["staging", "production-eu", "production-us", "production-ap"],
        unreviewed_per_mille: 15,
        failed_attempts_per_mille: 30,
        failures_per_mille: 75,
    },
    Habits {
        team: "checkout",
        people: ["fay", "gil", "hana", "ivo", "jun"],
        repositories: &["checkout-web", "checkout-api", "cart", "promotions", "pricing", "address-lookup"],
        opens_per_mille: 1_335,
        pushes_per_mille: 0,
        coding: Span::from_hours(4),
        pickup: Span::from_hours(1),
        review: Span::from_hours(2),
        method: Method::Squash,
        cadence: Cadence::OnMerge(Span::from_minutes(12)),
        environments: &["staging", "production"],
        unreviewed_per_mille: 30,
        failed_attempts_per_mille: 45,
        failures_per_mille: 55,
    },
    Habits {
        team: "search",
        people: ["kai", "lena", "mo", "nils", "olga"],
        repositories: &["search-api", "search-indexer", "search-ui", "recommendations", "suggest"],
        opens_per_mille: 620,
        pushes_per_mille: 0,
        coding: Span::from_hours(20),
        pickup: Span::from_hours(7),
        review: Span::from_hours(9),
        method: Method::Merge,
        cadence: Cadence::Daily,
        environments: &["staging", "prod"],
        unreviewed_per_mille: 40,
        failed_attempts_per_mille: 60,
        failures_per_mille: 120,
    },
    Habits {
        team: "platform",
        people: ["pia", "quin", "raj", "sol", "timo"],
        repositories: &[
            "gateway",
            "identity",
            "feature-flags",
            "event-bus",
            "deploy-tools",
            "observability",
            "infrastructure",
        ],
        opens_per_mille: 725,
        pushes_per_mille: 60,
        coding: Span::from_hours(7),
        pickup: Span::from_hours(2),
        review: Span::from_hours(4),
        method: Method::Rebase,
        cadence: Cadence::OnMerge(Span::from_minutes(40)),
        environments: &["staging", "production"],
        unreviewed_per_mille: 60,
        failed_attempts_per_mille: 50,
        failures_per_mille: 50,
    },
    Habits {
        team: "mobile",
        people: ["uma", "vic", "wen", "xena", "yara"],
        repositories: &["app-ios", "app-android", "app-backend", "push-service", "mobile-design"],
        opens_per_mille: 455,
        pushes_per_mille: 0,
        coding: Span::from_hours(40),
        pickup: Span::from_hours(12),
        review: Span::from_hours(16),
        method: Method::Squash,
        cadence: Cadence::Weekly,
        environments: &["staging", "production"],
        unreviewed_per_mille: 50,
        failed_attempts_per_mille: 90,
        failures_per_mille: 210,
    },
    Habits {
        team: "data",
        people: ["zoe", "abel", "bea", "carl", "dina"],
        repositories: &["warehouse", "etl", "reports", "experiments", "ml-features"],
        opens_per_mille: 365,
        pushes_per_mille: 90,
        coding: Span::from_hours(28),
        pickup: Span::from_hours(9),
        review: Span::from_hours(6),
        method: Method::Merge,
        cadence: Cadence::Every(3),
        environments: &["production"],
        unreviewed_per_mille: 260,
        failed_attempts_per_mille: 110,
        failures_per_mille: 150,
    },
];

/// The repositories that are not just a service of a team: name, whose habits, what is special.
const SPECIAL: [(&str, usize, Role); 6] = [
    ("website", 1, Role::Merges),
    ("handbook", 3, Role::Handbook),
    ("sandbox-tools", 5, Role::Unowned),
    ("legacy-billing", 0, Role::Archived),
    ("openapi-spec", 3, Role::Fork),
    ("new-idea", 4, Role::Empty),
];

/// A repository of the plan.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) habits: &'static Habits,
    pub(super) role: Role,
}

impl Place {
    /// Whether `PagerDuty` knows it. The others use issues as incidents.
    pub(super) fn has_service(&self) -> bool {
        let role = self.role == Role::Service || self.role == Role::Archived;
        role && !["infrastructure", "mobile-design"].contains(&self.name)
    }
}

/// The name of a repository's service: for every third one just its own, else the configuration must tell.
pub(in crate::demo) fn service_name(repository: &str) -> String {
    if repository.len().is_multiple_of(3) {
        return repository.to_owned();
    }
    format!("{} (production)", repository.replace('-', " "))
}

/// All repositories.
pub(super) fn places() -> impl Iterator<Item = Place> {
    let services = TEAMS.iter().flat_map(|habits| {
        let named = habits.repositories.iter();
        named.map(move |name| Place { name, habits, role: Role::Service })
    });
    let special = SPECIAL.iter().filter_map(|(name, team, role)| {
        let habits = TEAMS.get(*team)?;
        Some(Place { name, habits, role: *role })
    });
    services.chain(special)
}

/// How busy a day of the week is; a thousand is the average day.
pub(super) const fn weekday_per_mille(weekday: Weekday) -> u32 {
    match weekday {
        Weekday::Mon => 1_300,
        Weekday::Tue => 1_480,
        Weekday::Wed => 1_460,
        Weekday::Thu => 1_390,
        Weekday::Fri => 1_090,
        Weekday::Sat | Weekday::Sun => 140,
    }
}

/// Pull requests opened on an average day.
pub(super) const fn opens_per_mille(habits: &Habits, role: Role) -> u32 {
    match role {
        Role::Service | Role::Archived => habits.opens_per_mille,
        Role::Unowned | Role::Merges | Role::Handbook => 150,
        Role::Empty | Role::Fork => 0,
    }
}

/// Direct pushes on an average day.
pub(super) const fn pushes_per_mille(habits: &Habits, role: Role) -> u32 {
    match role {
        Role::Service | Role::Archived => habits.pushes_per_mille,
        Role::Unowned | Role::Handbook => 80,
        Role::Fork => 20,
        Role::Merges | Role::Empty => 0,
    }
}
