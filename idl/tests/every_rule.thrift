// Every rule on every type that takes it, also where the interfaces use none of it. Only tests see this.
namespace rs every_rule

enum Colour {
    RED = 1,
    BLUE = -2,
}

struct Leaf {
    1: required i64 id (vt.ge = "1"),
    2: optional Leaf next,
}

struct Everything {
    1: required string text (vt.min_size = "1", vt.max_size = "8", vt.min_rune_size = "1", vt.max_rune_size = "4", vt.prefix = "a", vt.pattern = "^[^\\\\]*$", vt.trimmed = "true", vt.no_control = "true"),
    2: required string choice (vt.in = "a", vt.in = "b \"c\""),
    3: required binary bytes (vt.min_size = "1", vt.max_size = "2"),
    4: required i8 small (vt.gt = "-3", vt.lt = "3"),
    5: required i16 number (vt.in = "-1", vt.in = "300"),
    6: required Colour colour (vt.defined_only = "true"),
    7: required list<string> names (vt.max_size = "2", vt.elem.max_rune_size = "2"),
    8: required set<i32> numbers (vt.elem.le = "9"),
    9: required list<list<i64>> matrix (vt.elem.max_size = "2", vt.elem.elem.ge = "0"),
    10: required map<string, Leaf> leaves (vt.max_size = "1"),
    11: required list<Leaf> row,
    12: required Leaf leaf,
    13: required Leaf unseen (vt.skip = "true"),
    14: required list<Leaf> unseen_row (vt.elem.skip = "true"),
    15: optional string note (vt.max_rune_size = "2"),
    16: optional list<i64> ids (vt.min_size = "1", vt.elem.gt = "0"),
    /** Also a Rust keyword. */
    17: required i64 type (vt.ge = "0"),
}
