/// The verbs of the command, and what they share.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "enxerto/tensor/shape.h"

namespace enxerto::cli {

/// What the command line asks for, run after all of it was understood. Returns the exit code.
using Action = std::function<int()>;

/// Each adds its verb; where the verb is given, `chosen` becomes what it does.
void add_train(CLI::App& app, Action& chosen);
void add_predict(CLI::App& app, Action& chosen);
void add_evaluate(CLI::App& app, Action& chosen);
void add_distill(CLI::App& app, Action& chosen);
void add_find_lr(CLI::App& app, Action& chosen);
void add_fit(CLI::App& app, Action& chosen);
void add_advise(CLI::App& app, Action& chosen);
void add_compare(CLI::App& app, Action& chosen);
void add_extract(CLI::App& app, Action& chosen);
void add_convert(CLI::App& app, Action& chosen);
void add_summary(CLI::App& app, Action& chosen);
void add_profile(CLI::App& app, Action& chosen);
void add_models(CLI::App& app, Action& chosen);
void add_pull(CLI::App& app, Action& chosen);
void add_preprocess(CLI::App& app, Action& chosen);
void add_preview(CLI::App& app, Action& chosen);
void add_explain(CLI::App& app, Action& chosen);
void add_report(CLI::App& app, Action& chosen);
void add_doctor(CLI::App& app, Action& chosen);
void add_head(CLI::App& app, Action& chosen);
void add_demo(CLI::App& app, Action& chosen);

/// Flags that most verbs have.
struct Common {
  int threads = 0;  ///< 0: ENXERTO_THREADS, or all cores
  bool json = false;
};
void add_json(CLI::App& verb, Common& common);
void add_threads(CLI::App& verb, Common& common);
void add_workers(CLI::App& verb, int& workers);

/// Prints one object on a line of standard output; what is not UTF-8 in it is replaced.
void print_json(const nlohmann::json& json);

/// Throws Error{usage} unless value >= least.
void check_at_least(const char* flag, int value, int least);
/// Throws CLI::ValidationError that names the first of these flags which was given, with `why`.
void refuse_flags(const CLI::App& verb, const std::set<std::string>& flags, const std::string& why);

/// Whether both lead to one file, be it there or not.
bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b);
/// Throws Error{usage} where the file of `flag` is the other one too: writing it would destroy that.
void check_another_file(const char* flag, const std::filesystem::path& file,
                        const std::filesystem::path& other);

/// Throws Error where a file cannot be written there, as far as names and permissions tell: before the work
/// whose outcome it is to be.
void check_file_to_write(const char* flag, const std::filesystem::path& file);

/// As a shell wants it: quoted where it has to be.
std::string shell_word(const std::filesystem::path& path);

/// The words that this program was started with, its name first; none where the system will not say.
std::vector<std::string> command_words();
/// The same as a shell wants them, in one text; empty where that is not UTF-8, as config.json has to be.
std::string command_line();

/// 0.9312 as "93.1 %", with `digits` digits.
std::string percent(double proportion, int digits = 1);
/// A difference of proportions in points: 0.013 as "+1.3".
std::string points(double difference);

}  // namespace enxerto::cli
