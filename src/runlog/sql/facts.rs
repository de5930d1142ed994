//! What a server says of itself.

use super::super::contract::{Facts, Rights, Role};
use super::columns::Cells;
use super::decode::{self, Unreadable};
use super::dialect::Dialect;
use super::reading::last;

/// Statements that ask; `read` reads their answers.
pub fn ask(dialect: &dyn Dialect) -> Vec<String> {
    let mut statements = dialect.begin_reading();
    statements.extend([
        dialect.product().to_owned(),
        dialect.role().to_owned(),
        dialect.rights().to_owned(),
        "SELECT value FROM tickward_meta WHERE name = 'schema'".into(),
        format!("SELECT {}", dialect.now()),
        "COMMIT".into(),
    ]);
    statements
}

/// The facts; the tables were found in the form `found`.
///
/// # Errors
/// An answer that is none.
pub fn read(answers: Vec<Vec<Cells>>, found: usize) -> Result<Facts, Unreadable> {
    let [product, role, rights, schema, now, _] = last(answers);
    let first = |answer: Vec<Cells>| answer.into_iter().next().unwrap_or_default();
    let mut product = first(product).into_iter().flatten();
    let refuses = first(role).into_iter().flatten().next().is_some_and(|why| !why.is_empty());
    let rights = first(rights);
    let may = |place: usize| rights.get(place).is_some_and(|cell| cell.as_deref().is_some_and(|text| text != "0"));
    let form = first(schema).into_iter().flatten().next();
    Ok(Facts {
        product: product.next().unwrap_or_default(),
        version: product.next().unwrap_or_default(),
        role: if refuses { Role::Replica } else { Role::Primary },
        form: form.and_then(|form| form.parse().ok()).unwrap_or(0),
        found: u32::try_from(found).unwrap_or(u32::MAX),
        clock: Some(decode::instant(now)?),
        rights: Rights { create: may(0), insert: may(1), update: may(2), delete: may(3) },
    })
}
