//! What the simulated GitHub answers exists in GitHub's published schema, with the same types.

use std::collections::BTreeMap;
use std::path::Path;

use apollo_compiler::Schema;
use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::schema::{ExtendedType, FieldDefinition};
use apollo_compiler::validation::Valid;
use sextant::demo::github::SDL;

const PUBLISHED: &str = ".tools/node_modules/@octokit/graphql-schema/schema.graphql";

/// Fields of the simulated part with their types, and their arguments with types and defaults.
fn members(definition: &ExtendedType) -> BTreeMap<String, String> {
    let argument = |it: &InputValueDefinition| {
        let default = it.default_value.as_ref().map(|value| format!(" = {value}"));
        format!("{}{}", it.ty, default.unwrap_or_default())
    };
    let field = |members: &mut BTreeMap<String, String>, it: &FieldDefinition| {
        members.insert(it.name.to_string(), it.ty.to_string());
        for one in &it.arguments {
            members.insert(format!("{}({})", it.name, one.name), argument(one));
        }
    };
    let mut members = BTreeMap::new();
    match definition {
        ExtendedType::Scalar(_) => {}
        ExtendedType::Object(it) => {
            it.fields.values().for_each(|one| field(&mut members, one));
            let interfaces = it.implements_interfaces.iter();
            members.extend(interfaces.map(|one| (format!("implements {one}"), String::new())));
        }
        ExtendedType::Interface(it) => it.fields.values().for_each(|one| field(&mut members, one)),
        ExtendedType::Union(it) => {
            members.extend(it.members.iter().map(|one| (format!("member {one}"), String::new())));
        }
        ExtendedType::Enum(it) => {
            members.extend(it.values.keys().map(|one| (format!("value {one}"), String::new())));
        }
        ExtendedType::InputObject(it) => {
            members.extend(it.fields.values().map(|one| (one.name.to_string(), argument(one))));
        }
    }
    members
}

fn kind(definition: &ExtendedType) -> &'static str {
    match definition {
        ExtendedType::Scalar(_) => "scalar",
        ExtendedType::Object(_) => "object",
        ExtendedType::Interface(_) => "interface",
        ExtendedType::Union(_) => "union",
        ExtendedType::Enum(_) => "enum",
        ExtendedType::InputObject(_) => "input",
    }
}

#[test]
fn the_simulated_schema_is_a_part_of_the_published_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PUBLISHED);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/fetch-schemas", path.display()));
    // The published text defines two fields twice, which a strict reader refuses.
    let published = Schema::parse_and_validate(text, "published")
        .unwrap_or_else(|invalid| Valid::assume_valid(invalid.partial));
    let ours = Schema::parse_and_validate(SDL, "github.graphql").unwrap();
    let mut wrong = Vec::new();
    for (name, definition) in ours.types.iter().filter(|(_, definition)| !definition.is_built_in()) {
        let Some(theirs) = published.types.get(name) else {
            wrong.push(format!("there is no {name}"));
            continue;
        };
        if kind(definition) != kind(theirs) {
            wrong.push(format!("{name} is no {}", kind(definition)));
        }
        let known = members(theirs);
        for (member, ty) in members(definition) {
            if known.get(&member) != Some(&ty) {
                wrong.push(format!("{name}.{member}: {ty}, published: {:?}", known.get(&member)));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(ours.types.len() > 80, "{}", ours.types.len());
}
