//! The `b2n` command.

fn main() -> std::process::ExitCode {
    b2n::face::cli::main()
}
