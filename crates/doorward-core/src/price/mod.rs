//! What things cost: a dated table, in which every price says its source and how sure it is.

mod money;
mod table;

pub use money::{Money, NotMoney};
pub use table::{Item, NoPrice, Price, Sure, Table, TableError};
