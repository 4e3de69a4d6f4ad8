//! The whole contract by tables: each route, each location of a parameter, each way to be wrong; and its steps as clients take them.

mod locations;
mod publish_table;
mod route;
mod social_table;
mod steps;
mod table;
mod wrong;
