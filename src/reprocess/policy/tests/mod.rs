//! Tables and properties over whole decisions.

#[cfg(test)]
pub(crate) mod intent_scenarios;
#[cfg(test)]
pub(crate) mod probe_scenarios;
#[cfg(test)]
pub(crate) mod scenarios;
#[cfg(test)]
pub(crate) mod stop_scenarios;
