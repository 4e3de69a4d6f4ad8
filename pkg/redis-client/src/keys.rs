//! Types for the keys and arguments of commands.

/// Keys that one command deletes, atomically. In a cluster all must be in one slot.
pub type KeyGroup = Vec<String>;

/// The keys and arguments of one script call.
pub type ScriptCall = (Vec<String>, Vec<String>);
