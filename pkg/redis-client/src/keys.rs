//! Keys as commands take them.

/// Keys that are deleted by one command, so at one moment; in a cluster all of one slot.
pub type KeyGroup = Vec<String>;

/// Keys and arguments of one run of a script.
pub type ScriptCall = (Vec<String>, Vec<String>);
