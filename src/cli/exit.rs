//! The exit codes of every command, and which one wins where several hold.

use std::process::ExitCode;

/// How a command ended. The numbers are a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing failed.
    Done,
    /// A pipeline failed; safe to run again.
    Failed,
    /// Wrong arguments, or no usable configuration: nothing ran.
    Usage,
    /// Part of the configuration is invalid; the rest ran.
    PartlyInvalid,
    /// The run-log was refused, or could not be used.
    RunLog,
    /// Another run of the pipeline is active.
    Busy,
    /// The time budget was over, or the run timed out.
    TimedOut,
    /// Stopped by this signal.
    Signal(i32),
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::PartlyInvalid => 3,
            Exit::RunLog => 4,
            Exit::Busy => 75,
            Exit::TimedOut => 124,
            Exit::Signal(signal) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)),
        }
    }

    /// The one that is reported where both hold: 2, 128+n, 4, 124, 75, 1, 3, 0.
    pub fn or_worse(self, other: Exit) -> Exit {
        if other.rank() < self.rank() { other } else { self }
    }

    fn rank(self) -> u8 {
        match self {
            Exit::Usage => 0,
            Exit::Signal(_) => 1,
            Exit::RunLog => 2,
            Exit::TimedOut => 3,
            Exit::Busy => 4,
            Exit::Failed => 5,
            Exit::PartlyInvalid => 6,
            Exit::Done => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_exit_wins_in_the_documented_order() {
        let order = [
            Exit::Usage,
            Exit::Signal(15),
            Exit::RunLog,
            Exit::TimedOut,
            Exit::Failed,
            Exit::PartlyInvalid,
            Exit::Done,
        ];
        for pair in order.windows(2) {
            assert_eq!(pair[0].or_worse(pair[1]), pair[0], "{pair:?}");
            assert_eq!(pair[1].or_worse(pair[0]), pair[0], "{pair:?}");
        }
        assert_eq!(order.map(Exit::code), [2, 143, 4, 124, 1, 3, 0]);
    }
}
