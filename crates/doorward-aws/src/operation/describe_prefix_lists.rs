//! `ec2:DescribePrefixLists`: AWS's own prefix lists with their entries.

use super::PAGE;
use super::describe::describe;
use super::describe_managed_prefix_lists::ListShape;

describe! {
    /// Asks for AWS's own lists.
    DescribePrefixLists as "DescribePrefixLists", pages of Some(PAGE);
    OwnListsAnswer of ListShape = "PrefixLists" | "prefixListSet"
}
