//! What things cost: a dated table, in which every price says its source and how sure it is.

mod import;
mod item;
mod money;
mod table;

pub use import::{Import, Unimported};
pub use item::{Item, NotAnItem};
pub use money::{Money, NotMoney};
pub use table::{NoPrice, Price, Sure, Table, TableError};
