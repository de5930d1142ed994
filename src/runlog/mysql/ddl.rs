//! Makes the statements of a migration such that they may be done again.
//!
//! MySQL commits each CREATE and ALTER by itself: a process that ends within a migration leaves it halfway, and the next
//! one does it again from the beginning. MariaDB knows `IF NOT EXISTS` for columns and indexes, MySQL does not: there the
//! server's own tables are asked.

/// The statements of a migration, one by one; what is there already, each leaves as it is.
pub fn repeatable(statements: &str) -> Vec<String> {
    let bare: Vec<&str> = statements.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let text = bare.join("\n");
    text.split(';').map(str::trim).filter(|one| !one.is_empty()).flat_map(unless_there).collect()
}

fn unless_there(statement: &str) -> Vec<String> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    match words[..] {
        ["CREATE", "TABLE", ..] => vec![statement.replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)],
        ["INSERT", "INTO", ..] => vec![statement.replacen("INSERT INTO", "INSERT IGNORE INTO", 1)],
        ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] => only_if_missing(
            statement,
            &format!("information_schema.columns WHERE table_name = '{table}' AND column_name = '{column}'"),
        ),
        ["CREATE", "INDEX", index, "ON", table, ..] => only_if_missing(
            statement,
            &format!("information_schema.statistics WHERE table_name = '{table}' AND index_name = '{index}'"),
        ),
        _ => vec![statement.to_owned()],
    }
}

fn only_if_missing(statement: &str, found: &str) -> Vec<String> {
    let quoted = statement.replace('\'', "''");
    vec![
        format!(
            "SET @tickward = IF((SELECT count(*) FROM {found} AND table_schema = DATABASE()) = 0, '{quoted}', 'DO 0')"
        ),
        "PREPARE tickward FROM @tickward".into(),
        "EXECUTE tickward".into(),
        "DEALLOCATE PREPARE tickward".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::MIGRATIONS;
    use super::*;

    #[test]
    fn every_statement_of_ours_may_be_done_again() {
        for migration in MIGRATIONS {
            for statement in repeatable(migration.statements) {
                let may_be =
                    ["CREATE TABLE IF", "CREATE OR", "INSERT IGNORE", "SET @", "PREPARE", "EXECUTE", "DEALLOCATE"];
                assert!(may_be.iter().any(|begin| statement.starts_with(begin)), "{}: {statement}", migration.name);
            }
        }
    }

    #[test]
    fn comments_and_quotes_do_not_end_a_statement() {
        let text = "-- One; two.\nALTER TABLE t ADD COLUMN c LONGTEXT DEFAULT ('{}');  -- JSON; of old\nCREATE TABLE u (\n a INT -- x;\n);";
        let all = repeatable(text);
        assert_eq!(all.len(), 5, "{all:?}");
        assert!(all[0].contains("'ALTER TABLE t ADD COLUMN c LONGTEXT DEFAULT (''{}'')', 'DO 0')"), "{}", all[0]);
        assert!(all[0].contains("table_name = 't' AND column_name = 'c' AND table_schema = DATABASE()"), "{}", all[0]);
        assert!(all[4].starts_with("CREATE TABLE IF NOT EXISTS u (") && all[4].ends_with(')'), "{}", all[4]);
    }
}
