// The command `enxerto`: parses, runs the verb, turns errors into one line and an exit code.
#include <algorithm>
#include <clocale>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"

namespace enxerto::cli {

void add_json(CLI::App& verb, Common& common) {
  verb.add_flag("--json", common.json, "Standard output holds JSON and nothing else");
}

void add_threads(CLI::App& verb, Common& common) {
  constexpr int most_threads = 1024;  // as for ENXERTO_THREADS
  verb.add_option("--threads", common.threads, "Threads of the kernels (all cores)")
      ->check(number_from(1, most_threads))
      ->type_name("N");
}

void add_workers(CLI::App& verb, int& workers) {
  verb.add_option("--workers", workers, "Threads that decode pictures")
      ->capture_default_str()
      ->type_name("N");
}

void print_json(const nlohmann::json& json) {
  std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n' << std::flush;
}

void check_at_least(const char* flag, int value, int least) {
  if (value < least) throw Error(ErrorKind::usage, text(flag, ": at least ", least, ", not ", value));
}

void refuse_flags(const CLI::App& verb, const std::set<std::string>& flags, const std::string& why) {
  for (const CLI::Option* option : verb.get_options())
    if (option->count() > 0 && flags.contains(option->get_name()))
      throw CLI::ValidationError(option->get_name(), text(why, "; leave it out"));
}

bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;  // of paths that lead nowhere, which whoever opens them tells
  const auto whole = [&](const std::filesystem::path& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, ignored), ignored);
  };
  if (a.empty() || b.empty()) return false;
  return std::filesystem::equivalent(a, b, ignored) || (!whole(a).empty() && whole(a) == whole(b));
}

void check_another_file(const char* flag, const std::filesystem::path& file,
                        const std::filesystem::path& other) {
  if (is_same_file(file, other))
    throw Error(ErrorKind::usage, text(flag, ": ", file.string(), " is in use already; choose another name"));
}

void check_file_to_write(const char* flag, const std::filesystem::path& file) {
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorKind::usage,
                text(flag, ": there is no folder ", file.parent_path().string(), "; make it first"));
  if (std::filesystem::is_directory(file))
    throw Error(ErrorKind::usage, text(flag, ": ", file.string(), " is a folder; name a file"));
  // What is no file, such as a pipe or a device, takes what is written where it is.
  if (!std::filesystem::exists(file) || std::filesystem::is_regular_file(file))
    check_folder(folder, "name another place");
}

std::string shell_word(const std::filesystem::path& path) {
  const std::string word = path.string();
  const auto is_plain = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isalnum(byte) || std::string_view("/._-+,:@%=").find(c) != std::string::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, is_plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::vector<std::string> command_words() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

std::string command_line() {
  std::vector<std::string> words = command_words();
  for (std::string& word : words) word = shell_word(word);
  const std::string line = join(words, " ");
  return is_utf8(line) ? line : "";
}

std::string percent(double proportion, int digits) { return fixed(100 * proportion, digits) + " %"; }
std::string points(double difference) {
  return text(difference < 0 ? "-" : "+", fixed(100 * std::abs(difference), 1));
}

namespace {

constexpr int failed = 1, wrong_usage = 2, wrong_input = 3, was_interrupted = 130;

int code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return wrong_usage;
    case ErrorKind::not_found:
    case ErrorKind::corrupt:
    case ErrorKind::unsupported:
      return wrong_input;
    case ErrorKind::interrupted:
      return was_interrupted;
    case ErrorKind::io:
    case ErrorKind::diverged:
      break;
  }
  return failed;
}

int fail(std::string what, int code) {
  // One line, whatever a file's name or a library's text holds.
  std::ranges::replace_if(
      what, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  what.erase(what.find_last_not_of(' ') + 1);
  std::cerr << "enxerto: " << what << '\n';
  return code;
}

int run(int argc, char** argv) {
  CLI::App app("Turns a folder of photographs into a classifier.", "enxerto");
  app.set_version_flag("--version", "enxerto " ENXERTO_VERSION, "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  app.get_formatter()->column_width(32);
  app.require_subcommand(0, 1);
  app.footer(
      "Examples:\n"
      "  enxerto demo                                  the whole job on pictures that it makes itself\n"
      "  enxerto train photos --net resnet18 --out run\n"
      "  enxerto predict run holiday.jpg\n"
      "`enxerto VERB --help` tells more.");
  Action chosen;
  add_train(app, chosen);
  add_predict(app, chosen);
  add_evaluate(app, chosen);
  add_fit(app, chosen);
  add_distill(app, chosen);
  add_find_lr(app, chosen);
  add_advise(app, chosen);
  add_compare(app, chosen);
  add_extract(app, chosen);
  add_summary(app, chosen);
  add_profile(app, chosen);
  add_convert(app, chosen);
  add_models(app, chosen);
  add_pull(app, chosen);
  add_explain(app, chosen);
  add_report(app, chosen);
  add_doctor(app, chosen);
  add_head(app, chosen);
  add_preprocess(app, chosen);
  add_preview(app, chosen);
  add_demo(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help and version
    const auto given = app.get_subcommands();
    const std::string verb = given.empty() ? "" : given.front()->get_name() + " ";
    return fail(text(given.empty() ? "" : given.front()->get_name() + ": ", error.what(), "; see `enxerto ",
                     verb, "--help`"),
                wrong_usage);
  }
  if (!chosen)
    return fail("a verb is missing, such as train, predict or demo; see `enxerto --help`", wrong_usage);
  const int code = chosen();
  // A full disk behind standard output must not pass for success.
  std::cout.flush();
  if (!std::cout || std::fflush(stdout) != 0)
    throw Error(ErrorKind::io, "standard output cannot be written; is the disk full?");
  return code;
}

}  // namespace
}  // namespace enxerto::cli

int main(int argc, char** argv) {
  using namespace enxerto;
  std::setlocale(LC_CTYPE, "");  // tells whether the terminal takes UTF-8; numbers stay as they are
  // A limit on the size of files is then an error that names the file, not a signal that kills.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return cli::run(argc, argv);
  } catch (const Error& error) {
    return cli::fail(error.what(), cli::code_of(error.kind()));
  } catch (const std::bad_alloc&) {
    return cli::fail("there is not enough memory; a smaller --batch or --size needs less", cli::failed);
  } catch (const std::filesystem::filesystem_error& error) {
    return cli::fail(text(error.path1().string(), ": ", error.code().message()), cli::failed);
  } catch (const std::exception& error) {
    return cli::fail(text("a fault of ours, please report it: ", error.what()), cli::failed);
  }
}
