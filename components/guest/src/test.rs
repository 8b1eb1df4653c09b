//! Tests of a package, for `transship test`: functions that ask the package's processes something and look at the answers.
//!
//! They make a component of their own, which is the script of a package that is only there for testing; `tests.toml` names it, and the nodes that it runs on.
//!
//! ```
//! use transship_guest::prelude::*;
//! use transship_guest::test::Outcome;
//! use transship_guest::{check, check_eq};
//!
//! transship_guest::tests! {
//!     "it adds" => it_adds,
//!     "it divides by nothing but 0" => it_divides,
//! }
//!
//! fn it_adds(our: &Address) -> Outcome {
//!     let sums = Address::new(&our.node, "main:sums:ann".parse()?);
//!     let sum: i64 = ask(&sums, &serde_json::json!({"add": [2, 2]}))?;
//!     check_eq!(sum, 4);
//!     Ok(())
//! }
//!
//! fn it_divides(our: &Address) -> Outcome {
//!     let sums = Address::new(&our.node, "main:sums:ann".parse()?);
//!     let refused = ask::<i64>(&sums, &serde_json::json!({"divide": [2, 0]}));
//!     check!(refused.is_err(), "2 was divided by 0: {refused:?}");
//!     Ok(())
//! }
//! ```
//! A test that fails says where: at the `check!`, or at the `?` that an error passed.

use std::fmt::Display;
use std::panic::Location;

use serde::Serialize;
use serde_json::json;

use crate::address::Address;
use crate::message::{Message, receive, respond_json};

/// Why a test failed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line in it, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// What comes of a test.
pub type Outcome = Result<(), Failure>;

/// The functions of [`tests!`](crate::tests!) by their names.
pub type Tests = [(&'static str, fn(&Address) -> Outcome)];

impl Failure {
    /// At the place where this is called.
    #[track_caller]
    pub fn here(message: impl Into<String>) -> Self {
        let place = Location::caller();
        Self { file: place.file().into(), line: place.line(), message: message.into() }
    }
}

/// So that `?` makes a failure of every error, at its own place.
impl<E: Display> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::here(error.to_string())
    }
}

/// Waits for the request that names a test, runs that, and answers with what came of it. [`tests!`](crate::tests!) calls this.
///
/// # Errors
/// If the answer can't be sent.
pub fn run(our: &Address, tests: &Tests) -> Result<(), String> {
    loop {
        let Message::Request(asked) = receive() else { continue };
        let arguments: Vec<String> = asked.json().unwrap_or_default();
        let outcome = outcome(our, tests, arguments.first().map(String::as_str));
        return respond_json(&match outcome {
            Ok(()) => json!({"ok": null}),
            Err(failure) => json!({ "err": failure }),
        })
        .map_err(|error| error.to_string());
    }
}

fn outcome(our: &Address, tests: &Tests, wanted: Option<&str>) -> Outcome {
    let names = || tests.iter().map(|(name, _)| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let wanted = wanted.ok_or_else(|| Failure::here(format!("the first argument names the test: {}", names())))?;
    let found = tests.iter().find(|(name, _)| *name == wanted);
    let (_, test) = found.ok_or_else(|| Failure::here(format!("there is no test '{wanted}'; there are: {}", names())))?;
    test(our)
}

/// Makes functions the tests of this component: `"name" => function`, each `fn(&Address) -> Outcome`.
#[macro_export]
macro_rules! tests {
    ($($name:literal => $test:path),+ $(,)?) => {
        $crate::process!(transship_tests);

        fn transship_tests(our: $crate::address::Address) -> ::core::result::Result<(), ::std::string::String> {
            $crate::test::run(&our, &[$(($name, $test)),+])
        }
    };
}

/// Fails the test at this place, unless the condition holds; further arguments say what is wrong, as in `format!`.
#[macro_export]
macro_rules! check {
    ($condition:expr $(,)?) => { $crate::check!($condition, "{} does not hold", ::core::stringify!($condition)) };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return ::core::result::Result::Err($crate::test::Failure::here(::std::format!($($message)+)));
        }
    };
}

/// Fails the test at this place, unless both are equal.
#[macro_export]
macro_rules! check_eq {
    ($left:expr, $right:expr $(,)?) => {
        match (&$left, &$right) {
            (left, right) => $crate::check!(*left == *right, "{} is {left:?}, and not {right:?}", ::core::stringify!($left)),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails_here(_our: &Address) -> Outcome {
        check_eq!(1 + 1, 3);
        Ok(())
    }

    fn fails_with_an_error(_our: &Address) -> Outcome {
        let _: u32 = "x".parse()?;
        Ok(())
    }

    fn passes(_our: &Address) -> Outcome {
        check!(true);
        Ok(())
    }

    #[test]
    fn a_failure_has_its_place_and_its_reason() {
        let our: Address = "alice@tests:p:q".parse().unwrap();
        let tests: &Tests = &[("a", fails_here), ("b", fails_with_an_error), ("c", passes)];
        let failed = outcome(&our, tests, Some("a")).unwrap_err();
        assert!(failed.file.ends_with("test.rs") && failed.message == "1 + 1 is 2, and not 3", "{failed:?}");
        let other = outcome(&our, tests, Some("b")).unwrap_err();
        assert!(other.file.ends_with("test.rs") && other.line > failed.line && other.message.contains("invalid digit"), "{other:?}");
        assert_eq!(outcome(&our, tests, Some("c")), Ok(()));
        assert!(outcome(&our, tests, Some("d")).unwrap_err().message.contains("there is no test 'd'; there are: 'a', 'b', 'c'"));
        assert!(outcome(&our, tests, None).unwrap_err().message.contains("names the test"));
    }
}
