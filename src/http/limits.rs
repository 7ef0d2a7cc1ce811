//! What the sources say of their rate limits, and how much of that is ours. Unknown is unlimited, never zero.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;

/// GitHub has about a dozen; a name beyond that is not one of a rate limit, and would be a label value.
const RESOURCES_MAX: usize = 16;
/// The longest name of a resource that is believed.
const RESOURCE_BYTES_MAX: usize = 40;
/// Limits are renewed within the hour; a later date is a mistake that must not silence a source.
pub(super) const RESET_SECONDS_MAX: i64 = 3_600;
/// Two statements whose ends are so close speak of the same period: PagerDuty counts whole seconds down.
const SAME_PERIOD_SECONDS: i64 = 2;
/// A product such as 0.57 × 100 is a hair below 57.
const ROUNDING: f64 = 1e-6;
/// The resource of limits that GitHub states without a name, as old servers do.
const GITHUB_RESOURCE: &str = "core";
/// The resource of PagerDuty's one limit.
const PAGERDUTY_RESOURCE: &str = "rest";

/// Of our share this part is kept for live work until the limit is renewed: what is new must be seen in time while a
/// first read of years goes on. A thousand repositories take a quarter of a token's hour to follow.
const RESERVE: f64 = 0.3;
/// The pause where a limit is met and nobody says how long: GitHub asks for at least a minute.
const UNSTATED_PAUSE_SECONDS: i64 = 60;
/// Doubled more often, a pause would be longer than the longest.
const STRIKES_MAX: u32 = 6;
/// After so long without a limit, the next one is not a repetition.
const STRIKES_SECONDS: i64 = 600;
/// A limit that is new and that requests under way use up: their answers come within seconds.
const ANSWER_SECONDS: i64 = 1;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// To see what is new: it may use all of our share.
    Live,
    /// To read the past, which can wait: it leaves a reserve of our share for what is new.
    Backfill,
}

/// How much of a limit a request may lay claim to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// Our share of the limit.
    pub(super) share: f64,
    /// Of which not all is for everything.
    pub(super) priority: Priority,
}

impl Claim {
    /// As a part of the whole limit.
    fn part(self) -> f64 {
        let share = self.share.clamp(0.0, 1.0);
        match self.priority {
            Priority::Live => share,
            Priority::Backfill => share * (1.0 - RESERVE),
        }
    }
}

/// A limit as it was last stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// Requests or points in a period.
    pub(super) total: u64,
    /// Of which are left.
    pub(super) remaining: u64,
    /// When the period ends.
    pub(super) reset_at: DateTime<Utc>,
}

/// All that is known of one identity's limits, and what is under way.
#[derive(Debug, Default)]
pub(super) struct Limits {
    known: Vec<(String, Resource)>,
    paused_until: Option<DateTime<Utc>>,
    /// Limits in a row that did not say how long they last.
    strikes: u32,
}

/// One resource of an identity.
#[derive(Debug, Default)]
struct Resource {
    /// As it was last stated.
    limit: Option<Limit>,
    /// Whether its period has ended and nothing has been said of the next one.
    over: bool,
    /// Admitted and not yet answered.
    under_way: u64,
    /// Sent in this period and never answered, or not with a statement: it may have been charged, before or after
    /// what was stated since.
    unseen: u64,
}

impl Resource {
    /// Begins the next period, if it is time.
    fn renew(&mut self, now: DateTime<Utc>) {
        if let Some(limit) = self.limit.as_mut().filter(|limit| !self.over && limit.reset_at <= now) {
            limit.remaining = limit.total;
            self.over = true;
            self.unseen = 0;
        }
    }

    /// What is used at most, of this limit.
    fn used(&self, limit: &Limit) -> u64 {
        let stated = limit.total.saturating_sub(limit.remaining);
        stated.saturating_add(self.under_way).saturating_add(self.unseen)
    }
}

impl Limits {
    /// Takes note, and says what is known then; `None` if the statement is of no use. What belongs to an earlier
    /// period is dropped, and within a period the smallest rest stands, since answers overtake each other.
    pub(super) fn observe(&mut self, resource: &str, stated: Limit, now: DateTime<Utc>) -> Option<Limit> {
        if stated.total == 0 {
            return None;
        }
        let mut stated = Limit {
            remaining: stated.remaining.min(stated.total),
            reset_at: stated.reset_at.min(now + TimeDelta::seconds(RESET_SECONDS_MAX)),
            ..stated
        };
        let resource = self.resource(resource)?;
        resource.renew(now);
        if let Some(known) = resource.limit {
            let later_by = (stated.reset_at - known.reset_at).num_seconds();
            let same = (-SAME_PERIOD_SECONDS..=SAME_PERIOD_SECONDS).contains(&later_by);
            if later_by < -SAME_PERIOD_SECONDS || same && resource.over {
                return None;
            }
            if same {
                stated.remaining = stated.remaining.min(known.remaining);
                stated.reset_at = stated.reset_at.max(known.reset_at);
            }
        }
        resource.limit = Some(stated);
        resource.over = false;
        Some(stated)
    }

    /// Counts `cost` as used, unless that would exceed what may be used: then it says when to ask again.
    pub(super) fn admit(
        &mut self,
        resource: &str,
        cost: u64,
        claim: Claim,
        now: DateTime<Utc>,
    ) -> Result<(), DateTime<Utc>> {
        let Some(resource) = self.resource(resource) else {
            return Ok(());
        };
        resource.renew(now);
        if let Some(limit) = &resource.limit {
            let used = resource.used(limit).saturating_add(cost);
            if float(used) > claim.part() * float(limit.total) + ROUNDING {
                let soon = now + TimeDelta::seconds(ANSWER_SECONDS);
                return Err(if resource.over { soon } else { limit.reset_at });
            }
        }
        resource.under_way = resource.under_way.saturating_add(cost);
        Ok(())
    }

    /// What was admitted is over. `charged` unless it was not sent, or what it cost was stated.
    pub(super) fn settle(&mut self, resource: &str, cost: u64, charged: bool) {
        if let Some(resource) = self.resource(resource) {
            resource.under_way = resource.under_way.saturating_sub(cost);
            if charged && resource.limit.is_some() {
                resource.unseen = resource.unseen.saturating_add(cost);
            }
        }
    }

    /// How much may be spent in the next `seconds`, so that what is left of our share lasts until the limit is
    /// renewed; `None`: as much as one likes.
    pub(super) fn allowance(
        &mut self,
        resource: &str,
        claim: Claim,
        seconds: f64,
        now: DateTime<Utc>,
    ) -> Option<u64> {
        let resource = self.resource(resource)?;
        resource.renew(now);
        let limit = resource.limit.as_ref()?;
        let left = (claim.part() * float(limit.total) + ROUNDING - float(resource.used(limit))).max(0.0);
        let period = if resource.over { RESET_SECONDS_MAX } else { (limit.reset_at - now).num_seconds() };
        let period = float(u64::try_from(period).unwrap_or_default()).max(1.0);
        Some(whole(left * (seconds / period).clamp(0.0, 1.0)))
    }

    /// Nothing at all is asked until then. Where the source did not say until when, it is at least a minute, and
    /// twice as long each time in a row; `stated` comes from the source.
    pub(super) fn pause(&mut self, stated: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.paused_until.is_none_or(|until| until + TimeDelta::seconds(STRIKES_SECONDS) <= now) {
            self.strikes = 0;
        }
        let until = stated.unwrap_or_else(|| {
            // Requests that were under way together are refused together: that is one strike.
            let again = self.paused(now).is_none();
            self.strikes = if again { self.strikes.saturating_add(1) } else { self.strikes.max(1) };
            let doubled = UNSTATED_PAUSE_SECONDS << (self.strikes - 1).min(STRIKES_MAX);
            now + TimeDelta::seconds(doubled.min(RESET_SECONDS_MAX))
        });
        self.paused_until = self.paused_until.max(Some(until));
        self.paused_until.unwrap_or(until)
    }

    /// Until when nothing is asked, if that is still to come.
    pub(super) fn paused(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.paused_until.filter(|until| now < *until)
    }

    /// A resource by its name; `None` if there are too many already.
    fn resource(&mut self, name: &str) -> Option<&mut Resource> {
        let index = self.known.iter().position(|(known, _)| known == name);
        if index.is_none() && self.known.len() < RESOURCES_MAX {
            self.known.push((name.to_owned(), Resource::default()));
        }
        let (_, resource) = match index {
            Some(index) => self.known.get_mut(index)?,
            None => self.known.last_mut().filter(|(last, _)| last == name)?,
        };
        Some(resource)
    }
}

/// The limit that the headers of an answer state, with its resource.
pub(super) fn stated(headers: &HeaderMap, now: DateTime<Utc>) -> Option<(&str, Limit)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(total), Some(remaining), Some(reset)) = (
        number(headers, "x-ratelimit-limit"),
        number(headers, "x-ratelimit-remaining"),
        number(headers, "x-ratelimit-reset"),
    ) {
        let resource = text("x-ratelimit-resource").unwrap_or(GITHUB_RESOURCE);
        let believed = resource.len() <= RESOURCE_BYTES_MAX
            && resource.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let limit = Limit { total, remaining, reset_at: epoch(reset)? };
        return believed.then_some((resource, limit));
    }
    let limit = Limit {
        total: number(headers, "ratelimit-limit")?,
        remaining: number(headers, "ratelimit-remaining")?,
        reset_at: after(now, number(headers, "ratelimit-reset")?),
    };
    Some((PAGERDUTY_RESOURCE, limit))
}

/// The number in a header, also where more follows it (`960, 960;w=60`).
pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?;
    text.split([',', ';']).next()?.trim().parse().ok()
}

/// Seconds since the Unix epoch as an instant.
pub(super) fn epoch(seconds: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)
}

/// So many seconds after `now`, at most [`RESET_SECONDS_MAX`].
pub(super) fn after(now: DateTime<Utc>, seconds: u64) -> DateTime<Utc> {
    let seconds = i64::try_from(seconds).unwrap_or(RESET_SECONDS_MAX);
    now + TimeDelta::seconds(seconds.min(RESET_SECONDS_MAX))
}

/// A count as metrics have it; no limit comes near the largest.
pub(super) fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The whole part of what is no larger than a limit.
fn whole(amount: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the largest u32"
    )]
    let whole = amount.clamp(0.0, f64::from(u32::MAX)) as u64;
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn limit(total: u64, remaining: u64, reset: i64) -> Limit {
        Limit { total, remaining, reset_at: at(reset) }
    }

    fn live(share: f64) -> Claim {
        Claim { share, priority: Priority::Live }
    }

    #[test]
    fn the_share_is_used_to_the_last_point_and_no_further() {
        for (share, remaining, cost, now, allowed) in [
            (0.8, 5_000, 1, 0, true),
            (0.8, 1_001, 1, 0, true),
            (0.8, 1_000, 1, 0, false),
            (0.8, 1_010, 10, 0, true),
            (0.8, 1_010, 11, 0, false),
            (0.8, 0, 0, 0, false),
            (0.8, 0, 1, 599, false),
            (0.8, 0, 1, 600, true),
            (1.0, 1, 1, 0, true),
            (1.0, 0, 1, 0, false),
            (0.57, 2_151, 1, 0, true),
            (0.57, 2_150, 1, 0, false),
            (0.8, 5_000, u64::MAX, 0, false),
        ] {
            let mut limits = Limits::default();
            limits.observe("graphql", limit(5_000, remaining, 600), at(0));
            let admitted = limits.admit("graphql", cost, live(share), at(now));
            let expected = if allowed { Ok(()) } else { Err(at(600)) };
            assert_eq!(admitted, expected, "{share} {remaining} {cost} {now}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_limited() {
        let mut limits = Limits::default();
        assert_eq!(limits.admit("graphql", 9_999, live(0.8), at(0)), Ok(()));
        assert_eq!(limits.observe("graphql", limit(0, 0, 600), at(0)), None);
        assert_eq!(limits.admit("graphql", 9_999, live(0.8), at(0)), Ok(()));
        assert_eq!(limits.allowance("graphql", live(0.8), 60.0, at(0)), None);
    }

    #[test]
    fn statements_may_overtake_each_other() {
        for (name, second, expected) in [
            ("of an earlier period", limit(100, 90, 500), limit(100, 50, 600)),
            ("of the same period, earlier", limit(100, 60, 600), limit(100, 50, 600)),
            ("of the same period, later", limit(100, 40, 601), limit(100, 40, 601)),
            ("counted down a second early", limit(100, 40, 599), limit(100, 40, 600)),
            ("of the next period", limit(100, 99, 1_200), limit(100, 99, 1_200)),
            ("with another limit", limit(50, 60, 600), limit(50, 50, 600)),
            ("from a broken clock", limit(100, 99, 9_999_999), limit(100, 99, 3_600)),
        ] {
            let mut limits = Limits::default();
            limits.observe("core", limit(100, 50, 600), at(0));
            limits.observe("core", second, at(0));
            assert_eq!(limits.resource("core").unwrap().limit, Some(expected), "{name}");
        }
    }

    #[test]
    fn invented_resources_do_not_pile_up() {
        let mut limits = Limits::default();
        for n in 0..100 {
            limits.observe(&format!("r{n}"), limit(100, 50, 600), at(0));
        }
        assert_eq!(limits.known.len(), RESOURCES_MAX);
    }

    #[test]
    fn a_pause_holds_until_its_end_and_is_never_shortened() {
        let mut limits = Limits::default();
        assert_eq!(limits.pause(Some(at(60)), at(0)), at(60));
        assert_eq!(limits.pause(Some(at(30)), at(0)), at(60));
        assert_eq!(limits.paused(at(59)), Some(at(60)));
        assert_eq!(limits.paused(at(60)), None);
    }

    #[test]
    fn headers_of_both_vendors_are_read() {
        let github = |resource| {
            vec![
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", "4999"),
                ("x-ratelimit-reset", "1800000600"),
                ("x-ratelimit-resource", resource),
            ]
        };
        let pagerduty = |limit| {
            vec![("ratelimit-limit", limit), ("ratelimit-remaining", "959"), ("ratelimit-reset", "6")]
        };
        for (headers, expected) in [
            (github("graphql"), Some(("graphql", limit(5_000, 4_999, 600)))),
            (github("{evil=\"1\"}"), None),
            (vec![("x-ratelimit-limit", "5000")], None),
            (pagerduty("960"), Some(("rest", limit(960, 959, 6)))),
            (pagerduty("960, 960;w=60"), Some(("rest", limit(960, 959, 6)))),
            (pagerduty("many"), None),
            (vec![], None),
        ] {
            let headers: HeaderMap = headers
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            let headers: &HeaderMap = &headers;
            assert_eq!(stated(headers, at(0)), expected, "{headers:?}");
        }
    }

    #[test]
    fn backfill_leaves_a_reserve_of_the_share() {
        let backfill = Claim { share: 0.8, priority: Priority::Backfill };
        for (remaining, cost, allowed) in [(1_000, 560, true), (1_000, 561, false), (440, 1, false)] {
            let mut limits = Limits::default();
            limits.observe("graphql", limit(1_000, remaining, 600), at(0));
            assert_eq!(limits.admit("graphql", cost, backfill, at(0)).is_ok(), allowed, "{remaining} {cost}");
            limits.admit("graphql", 1, live(0.8), at(0)).unwrap();
        }
    }

    #[test]
    fn what_is_under_way_or_lost_counts_as_used_until_the_next_period() {
        let mut limits = Limits::default();
        limits.observe("graphql", limit(10, 10, 600), at(0));
        limits.admit("graphql", 6, live(1.0), at(0)).unwrap();
        assert_eq!(limits.admit("graphql", 5, live(1.0), at(0)), Err(at(600)));
        limits.settle("graphql", 6, true);
        assert_eq!(limits.admit("graphql", 5, live(1.0), at(0)), Err(at(600)));
        limits.admit("graphql", 4, live(1.0), at(0)).unwrap();
        limits.settle("graphql", 4, false);

        limits.admit("graphql", 10, live(1.0), at(600)).unwrap();
        assert_eq!(
            limits.admit("graphql", 1, live(1.0), at(600)),
            Err(at(601)),
            "the next period has a limit too"
        );
        assert_eq!(
            limits.observe("graphql", limit(10, 0, 600), at(600)),
            None,
            "it speaks of the last period"
        );
        limits.settle("graphql", 10, false);
        limits.admit("graphql", 10, live(1.0), at(600)).unwrap();
    }

    #[test]
    fn the_allowance_lasts_until_the_limit_is_renewed() {
        for (remaining, over, now, expected) in [
            (1_000, 60.0, 0, Some(80)),
            (1_000, 600.0, 0, Some(800)),
            (1_000, 9_999.0, 0, Some(800)),
            (600, 60.0, 300, Some(80)),
            (200, 60.0, 0, Some(0)),
            (0, 60.0, 0, Some(0)),
            (0, 36.0, 600, Some(8)),
        ] {
            let mut limits = Limits::default();
            limits.observe("graphql", limit(1_000, remaining, 600), at(0));
            assert_eq!(limits.allowance("graphql", live(0.8), over, at(now)), expected, "{remaining} {over}");
        }
        assert_eq!(Limits::default().allowance("graphql", live(0.8), 60.0, at(0)), None);
    }

    #[test]
    fn a_pause_of_unstated_length_doubles_each_time_in_a_row() {
        let mut limits = Limits::default();
        let mut now = 0;
        for expected in [60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
            assert_eq!(limits.pause(None, at(now)), at(now + expected));
            assert_eq!(limits.pause(None, at(now + 1)), at(now + expected).max(at(now + 1 + expected)));
            now += expected + 1;
        }
        now += 600;
        assert_eq!(limits.pause(None, at(now)), at(now + 60), "long after the last one");
    }

    proptest! {
        /// Requests arrive, or are late, or are never answered; answers overtake each other or are lost.
        #[test]
        fn the_share_is_never_exceeded_nor_the_reserve_touched_by_backfill(
            share in 0.1..=1.0,
            steps in prop::collection::vec((0..6, 1_u64..9, any::<bool>(), any::<Index>()), 1..300),
        ) {
            const TOTAL: u64 = 100;
            let mut limits = Limits::default();
            limits.observe("graphql", limit(TOTAL, TOTAL, 600), at(0));
            let mut charged = 0;
            // What was admitted and has not reached the source, and whether we still wait for it.
            let mut pending: Vec<(u64, bool)> = Vec::new();
            let mut answers: Vec<(u64, u64)> = Vec::new();
            for (kind, cost, backfill, index) in steps {
                match kind {
                    0 | 1 => {
                        let priority = if backfill { Priority::Backfill } else { Priority::Live };
                        if limits.admit("graphql", cost, Claim { share, priority }, at(0)).is_ok() {
                            pending.push((cost, true));
                            let used = charged + pending.iter().map(|(cost, _)| cost).sum::<u64>();
                            let part = if backfill { share * (1.0 - RESERVE) } else { share };
                            prop_assert!(float(used) <= part * float(TOTAL) + ROUNDING, "{used} {part}");
                        }
                    }
                    2 if !pending.is_empty() => {
                        let (cost, waiting) = pending.remove(index.index(pending.len()));
                        charged += cost;
                        if waiting {
                            answers.push((cost, TOTAL - charged));
                        }
                    }
                    3 if !pending.is_empty() => {
                        let at = index.index(pending.len());
                        if pending[at].1 {
                            limits.settle("graphql", pending[at].0, true);
                            pending[at].1 = false;
                        }
                    }
                    4 | 5 if !answers.is_empty() => {
                        let (cost, remaining) = answers.remove(index.index(answers.len()));
                        if kind == 4 {
                            limits.observe("graphql", limit(TOTAL, remaining, 600), at(0));
                        }
                        limits.settle("graphql", cost, kind == 5);
                    }
                    _ => {}
                }
            }
        }
    }
}
