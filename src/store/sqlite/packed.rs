//! How lists are kept in one column, small and quick to read.
//!
//! A list is its items, one after the other, up to the end of the blob; a list inside an item begins with its
//! number of items. A number is written seven bits a byte, the lowest first, the high bit set on all but the last
//! byte; an instant is the number 2n, or −2n − 1 if it is before 1970; a text is the number of its bytes and its
//! UTF-8; a commit is its 20 bytes; a choice is a number, followed by what it holds. These forms are part of the schema: a change of one needs
//! a migration.

use rusqlite::Row;

use crate::model::batch::CountedKey;
use crate::model::fact::{HoldingTeam, Origin, OwnCommit, Permission, Reference, RevertOf, Stage, Subject};
use crate::model::name::{
    CommitId, CommitPrefix, ComponentName, ExternalId, RepositoryId, RepositoryName, ServiceId, SourceName,
};
use crate::model::time::Timestamp;
use crate::store::sqlite::columns::damaged;

/// Bytes being written.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

/// Bytes yet to be read. Every reading method is `None` if they are not what it reads.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// Packs a list.
pub(super) fn pack<T>(items: &[T], write: impl Fn(&mut Writer, &T)) -> Vec<u8> {
    let mut writer = Writer::default();
    for item in items {
        write(&mut writer, item);
    }
    writer.0
}

/// Unpacks the list in a column.
pub(super) fn unpack<'a, T>(
    row: &'a Row<'_>,
    column: usize,
    read: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> rusqlite::Result<Vec<T>> {
    let bytes = row.get_ref(column)?.as_blob()?;
    items(bytes, read).ok_or_else(|| damaged().into())
}

/// Unpacks the list in a column that may have none.
pub(super) fn unpack_some<'a, T>(
    row: &'a Row<'_>,
    column: usize,
    read: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> rusqlite::Result<Option<Vec<T>>> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else {
        return Ok(None);
    };
    items(bytes, read).map(Some).ok_or_else(|| damaged().into())
}

/// Packs what an attempt was; nothing for the most frequent, a GitHub Deployment.
pub(super) fn pack_origin(origin: &Origin) -> Option<Vec<u8>> {
    let mut writer = Writer::default();
    match origin {
        Origin::Deployment => return None,
        Origin::Run { workflow, name, branch, event } => {
            writer.number(0);
            for text in [workflow, name, branch, event] {
                writer.text(text);
            }
        }
        Origin::Release { tag, stage } => {
            writer.number(1);
            writer.text(tag);
            writer.number(match stage {
                Stage::Final => 0,
                Stage::Prerelease => 1,
            });
        }
        Origin::Tag { name } => {
            writer.number(2);
            writer.text(name);
        }
        Origin::Pushed { component } => {
            writer.number(3);
            writer.text(component.as_str());
        }
    }
    Some(writer.0)
}

/// Unpacks what an attempt was.
pub(super) fn unpack_origin(row: &Row<'_>, column: usize) -> rusqlite::Result<Origin> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else {
        return Ok(Origin::Deployment);
    };
    origin(bytes).ok_or_else(|| damaged().into())
}

fn origin(bytes: &[u8]) -> Option<Origin> {
    let mut reader = Reader(bytes);
    let origin = reader.origin()?;
    reader.0.is_empty().then_some(origin)
}

fn items<'a, T>(bytes: &'a [u8], read: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let mut reader = Reader(bytes);
    let mut items = Vec::new();
    while !reader.0.is_empty() {
        items.push(read(&mut reader)?);
    }
    Some(items)
}

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            let [low, ..] = number.to_le_bytes();
            self.0.push(low | 0x80);
            number >>= 7;
        }
        let [last, ..] = number.to_le_bytes();
        self.0.push(last);
    }

    fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Writes a commit.
    pub(super) fn commit(&mut self, id: &CommitId) {
        self.0.extend_from_slice(id.bytes());
    }

    /// Writes a text.
    pub(super) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn instant(&mut self, at: Timestamp) {
        let millis = at.millis();
        self.number(((millis << 1) ^ (millis >> 63)).cast_unsigned());
    }

    fn repository(&mut self, id: &RepositoryId) {
        let RepositoryId { source, number } = id;
        self.text(source.as_str());
        self.number(*number);
    }

    /// Writes a commit of a change.
    pub(super) fn own_commit(&mut self, commit: &OwnCommit) {
        let OwnCommit { id, authored_at } = commit;
        self.commit(id);
        self.instant(*authored_at);
    }

    /// Writes what a change or a commit reverts.
    pub(super) fn revert(&mut self, revert: &RevertOf) {
        match revert {
            RevertOf::PullRequest(number) => {
                self.number(0);
                self.number(*number);
            }
            RevertOf::Commit(prefix) => {
                self.number(1);
                self.text(prefix.as_str());
            }
            RevertOf::Branch(number) => {
                self.number(2);
                self.number(*number);
            }
            RevertOf::Title(title) => {
                self.number(3);
                self.text(title);
            }
        }
    }

    /// Writes what an incident is about.
    pub(super) fn subject(&mut self, subject: &Subject) {
        match subject {
            Subject::Service(id, name) => {
                self.number(0);
                self.text(id.as_str());
                self.text(name);
            }
            Subject::Repository(id) => {
                self.number(1);
                self.repository(id);
            }
            Subject::Team(team) => {
                self.number(2);
                self.text(team);
            }
        }
    }

    /// Writes what an incident's text names.
    pub(super) fn reference(&mut self, reference: &Reference) {
        match reference {
            Reference::Commit(None, prefix) => {
                self.number(0);
                self.text(prefix.as_str());
            }
            Reference::Commit(Some(repository), prefix) => {
                self.number(1);
                self.text(repository.as_str());
                self.text(prefix.as_str());
            }
            Reference::PullRequest(repository, number) => {
                self.number(2);
                self.text(repository.as_str());
                self.number(*number);
            }
            Reference::Deployment(repository, id) => {
                self.number(3);
                self.text(repository.as_str());
                self.text(id.as_str());
            }
        }
    }

    /// Writes a team with what it holds.
    pub(super) fn team(&mut self, team: &HoldingTeam) {
        let HoldingTeam { slug, name, repositories } = team;
        self.text(slug);
        self.text(name);
        self.count(repositories.len());
        for (repository, permission) in repositories {
            self.repository(repository);
            self.number(match permission {
                Permission::Read => 0,
                Permission::Write => 1,
                Permission::Maintain => 2,
                Permission::Admin => 3,
            });
        }
    }

    /// Writes what a counter has counted.
    pub(super) fn counted(&mut self, key: &CountedKey) {
        match key {
            CountedKey::Attempt(repository, id, succeeded) => {
                self.number(0);
                self.repository(repository);
                self.text(id.as_str());
                self.number(u64::from(*succeeded));
            }
            CountedKey::PartAttempt(component, repository, id, succeeded) => {
                self.number(4);
                self.text(component);
                self.repository(repository);
                self.text(id.as_str());
                self.number(u64::from(*succeeded));
            }
            CountedKey::Incident(source, id) => {
                self.number(1);
                self.text(source.as_str());
                self.text(id.as_str());
            }
            CountedKey::LeadTime(component, repository, landing) => {
                self.number(2);
                self.text(component);
                self.repository(repository);
                self.commit(landing);
            }
            CountedKey::Recovery(component, repository, id) => {
                self.number(3);
                self.text(component);
                self.repository(repository);
                self.text(id.as_str());
            }
        }
    }
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn str(&mut self) -> Option<&'a str> {
        let count = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.bytes(count)?).ok()
    }

    /// Reads a text.
    pub(super) fn text(&mut self) -> Option<String> {
        self.str().map(str::to_owned)
    }

    /// Reads a commit.
    pub(super) fn commit(&mut self) -> Option<CommitId> {
        self.bytes(20)?.try_into().ok().map(CommitId::new)
    }

    fn instant(&mut self) -> Option<Timestamp> {
        let number = self.number()?;
        let millis = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        Some(Timestamp::from_millis(millis))
    }

    fn repository(&mut self) -> Option<RepositoryId> {
        Some(RepositoryId { source: SourceName::new(self.str()?), number: self.number()? })
    }

    fn switch(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn external_id(&mut self) -> Option<ExternalId> {
        self.str().map(ExternalId::new)
    }

    /// Reads a commit of a change.
    pub(super) fn own_commit(&mut self) -> Option<OwnCommit> {
        Some(OwnCommit { id: self.commit()?, authored_at: self.instant()? })
    }

    fn origin(&mut self) -> Option<Origin> {
        Some(match self.number()? {
            0 => Origin::Run {
                workflow: self.text()?,
                name: self.text()?,
                branch: self.text()?,
                event: self.text()?,
            },
            1 => {
                let tag = self.text()?;
                let stage = match self.number()? {
                    0 => Stage::Final,
                    1 => Stage::Prerelease,
                    _ => return None,
                };
                Origin::Release { tag, stage }
            }
            2 => Origin::Tag { name: self.text()? },
            3 => Origin::Pushed { component: ComponentName::new(self.str()?) },
            _ => return None,
        })
    }

    /// Reads what a change or a commit reverts.
    pub(super) fn revert(&mut self) -> Option<RevertOf> {
        match self.number()? {
            0 => self.number().map(RevertOf::PullRequest),
            1 => CommitPrefix::parse(self.str()?).map(RevertOf::Commit),
            2 => self.number().map(RevertOf::Branch),
            3 => self.text().map(RevertOf::Title),
            _ => None,
        }
    }

    /// Reads what an incident is about.
    pub(super) fn subject(&mut self) -> Option<Subject> {
        match self.number()? {
            0 => Some(Subject::Service(ServiceId::new(self.str()?), self.text()?)),
            1 => self.repository().map(Subject::Repository),
            2 => self.text().map(Subject::Team),
            _ => None,
        }
    }

    /// Reads what an incident's text names.
    pub(super) fn reference(&mut self) -> Option<Reference> {
        let which = self.number()?;
        if which == 0 {
            return CommitPrefix::parse(self.str()?).map(|prefix| Reference::Commit(None, prefix));
        }
        let repository = RepositoryName::new(self.str()?);
        match which {
            1 => CommitPrefix::parse(self.str()?).map(|prefix| Reference::Commit(Some(repository), prefix)),
            2 => Some(Reference::PullRequest(repository, self.number()?)),
            3 => Some(Reference::Deployment(repository, self.external_id()?)),
            _ => None,
        }
    }

    /// Reads a team with what it holds.
    pub(super) fn team(&mut self) -> Option<HoldingTeam> {
        let (slug, name) = (self.text()?, self.text()?);
        let mut repositories = Vec::new();
        // No room is taken before it is read, so that a wrong count cannot ask for any.
        for _ in 0..self.number()? {
            let repository = self.repository()?;
            let permission = match self.number()? {
                0 => Permission::Read,
                1 => Permission::Write,
                2 => Permission::Maintain,
                3 => Permission::Admin,
                _ => return None,
            };
            repositories.push((repository, permission));
        }
        Some(HoldingTeam { slug, name, repositories })
    }

    /// Reads what a counter has counted.
    pub(super) fn counted(&mut self) -> Option<CountedKey> {
        match self.number()? {
            0 => Some(CountedKey::Attempt(self.repository()?, self.external_id()?, self.switch()?)),
            1 => {
                let source = SourceName::new(self.str()?);
                Some(CountedKey::Incident(source, self.external_id()?))
            }
            2 => Some(CountedKey::LeadTime(self.text()?, self.repository()?, self.commit()?)),
            3 => Some(CountedKey::Recovery(self.text()?, self.repository()?, self.external_id()?)),
            4 => {
                let (component, repository) = (self.text()?, self.repository()?);
                Some(CountedKey::PartAttempt(component, repository, self.external_id()?, self.switch()?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_take_a_byte_for_each_seven_bits() {
        for (number, expected) in [
            (0, vec![0]),
            (0x7f, vec![0x7f]),
            (0x80, vec![0x80, 1]),
            (300, vec![0xac, 2]),
            (u64::MAX, [vec![0xff; 9], vec![1]].concat()),
        ] {
            let bytes = pack(&[number], |writer, number| writer.number(*number));
            assert_eq!(bytes, expected, "{number}");
            assert_eq!(items(&bytes, Reader::number), Some(vec![number]));
        }
        for damaged in [vec![0x80], vec![0xff; 10], [vec![0xff; 9], vec![2]].concat()] {
            assert_eq!(items(&damaged, Reader::number), None, "{damaged:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            texts in proptest::collection::vec(".{0,9}", 0..5),
            millis in proptest::collection::vec(any::<i64>(), 0..5),
            numbers in proptest::collection::vec(any::<u64>(), 0..5),
        ) {
            let packed = pack(&texts, |writer, text| writer.text(text));
            prop_assert_eq!(items(&packed, Reader::text), Some(texts));
            let instants: Vec<_> = millis.into_iter().map(Timestamp::from_millis).collect();
            let packed = pack(&instants, |writer, at| writer.instant(*at));
            prop_assert_eq!(items(&packed, Reader::instant), Some(instants));
            let packed = pack(&numbers, |writer, number| writer.number(*number));
            prop_assert_eq!(items(&packed, Reader::number), Some(numbers));
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_but_never_more(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            // Items take at least two bytes, so that what is read is bounded by what is there.
            let most = bytes.len();
            for read in [
                items(&bytes, Reader::revert).map(|items| items.len()),
                items(&bytes, Reader::subject).map(|items| items.len()),
                items(&bytes, Reader::reference).map(|items| items.len()),
                items(&bytes, Reader::team).map(|items| items.len()),
                items(&bytes, Reader::counted).map(|items| items.len()),
                items(&bytes, Reader::own_commit).map(|items| items.len()),
                items(&bytes, Reader::origin).map(|items| items.len()),
            ] {
                prop_assert!(read.unwrap_or(0) <= most / 2);
            }
        }
    }
}
