//! What people and programs see: the command line, reports, the editor.
