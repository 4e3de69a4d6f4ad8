//! The whole contract by tables: each route, each place of a parameter, each way to be wrong; and its steps as clients take them.

mod places;
mod publish_table;
mod route;
mod social_table;
mod steps;
mod table;
mod wrong;
