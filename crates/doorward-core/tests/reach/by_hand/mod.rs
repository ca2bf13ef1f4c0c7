//! Small accounts whose answer is known, item by item of what AWS documents.
