//! Values that the web's own tests share.
