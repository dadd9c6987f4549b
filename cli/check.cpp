#include "cli/check.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/readers.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* check_name = "doctor.json";

/// "3 of 200 pictures cannot be read (1.5 %)"
std::string count_unreadable(const TrainingCheck& check) {
  return text(with_commas(check.unreadable), " of ", with_commas(check.pictures),
              " pictures cannot be read (",
              percent(static_cast<double>(check.unreadable) / static_cast<double>(check.pictures)), ")");
}

void check_readable(const std::string& data, const TrainingCheck& check, const CheckFlags& flags) {
  if (check.unreadable == 0 ||
      static_cast<double>(check.unreadable) <= flags.max_unreadable * static_cast<double>(check.pictures))
    return;
  const LeftOut& first = check.left_out.front();
  throw Error(ErrorKind::corrupt,
              text(first.name, ": ", first.reason, "; in all ", count_unreadable(check), ", and at most ",
                   percent(flags.max_unreadable), " are skipped: mend or remove them (`enxerto doctor ",
                   shell_word(data), "` lists all), or raise --max-unreadable"));
}

/// Whether a manifest can name the pictures; those of binary sets have no files of their own.
bool have_files(const Dataset& data) { return data.size() == 0 || !data.file(0).empty(); }

void check_apart(const std::string& data, const TrainingCheck& check, const CheckFlags& flags,
                 const Splits& splits) {
  if (check.shared.empty() || flags.allow_leaks) return;
  std::vector<std::string> names = check.shared.front();
  constexpr std::size_t most_named = 4;
  if (names.size() > most_named) names.resize(most_named);
  const auto more = std::ssize(check.shared) - 1;
  throw Error(
      ErrorKind::corrupt,
      text(data, ": its splits share pictures, so the result would be too good: ", join(names, " and "),
           more > 0 ? text(" are the same, and ", with_commas(more), more == 1 ? " more is" : " more are",
                           " twice")
                    : " are the same",
           have_files(*splits.train)
               ? text("; `enxerto doctor ", shell_word(data),
                      " --split-out split.csv` writes a split without (train on that), --allow-leaks trains "
                      "anyway")
               : "; --allow-leaks trains all the same"));
}

/// What can be said before anything is left out: a split that was drawn may have got nothing.
void check_not_empty(const std::string& data, const Splits& splits) {
  for (const auto& [split, name] : {std::pair{splits.val.get(), "val"}, {splits.test.get(), "test"}})
    if (split && split->size() == 0)
      throw Error(ErrorKind::corrupt, text(data, ": no class has enough pictures to hold one back for ", name,
                                           "; add pictures, or train without (--", name, "-fraction 0)"));
}

/// Throws Error{corrupt} that names the classes of which nothing in train can be read.
void check_classes_left(const std::string& data, const Dataset& before, const Dataset& after) {
  const std::vector<std::int64_t> had = class_counts(before), has = class_counts(after);
  std::vector<std::string> gone;
  for (std::size_t i = 0; i < had.size(); ++i)
    if (had[i] > 0 && has[i] == 0) gone.push_back(before.classes()[i]);
  if (!gone.empty())
    throw Error(ErrorKind::corrupt,
                text(data, ": no picture in train of the class", gone.size() == 1 ? " " : "es ",
                     quoted_list(gone), " can be read; mend them (`enxerto doctor ", shell_word(data),
                     "` lists all), or leave the class", gone.size() == 1 ? "" : "es", " out of the data"));
}

void print_left_out(const TrainingCheck& check, Console& console) {
  const auto copies = std::ssize(check.left_out) - check.unreadable;
  if (check.unreadable)
    console.line(text(count_unreadable(check), " and ", check.unreadable == 1 ? "is" : "are",
                      " left out, such as ", check.left_out.front().name, ": ",
                      check.left_out.front().reason));
  if (copies)
    console.line(text(with_commas(copies), copies == 1 ? " picture" : " pictures",
                      " held back from train left out, for train has the same, such as ",
                      check.left_out.back().name, ", which ", check.left_out.back().reason));
  if (!check.shared.empty())
    console.warn(text("the splits share ", with_commas(std::ssize(check.shared)),
                      check.shared.size() == 1 ? " picture" : " pictures",
                      ": the figures of validation and test are too good"));
}

}  // namespace

ExamineOptions examine_options(Console& console) {
  ExamineOptions options;
  options.threads = threads();
  options.stop = &catch_interrupts();
  options.on_progress = [pace = Pace(console, "looking at the pictures")](
                            std::int64_t done, std::int64_t all) mutable { pace.show(done, all); };
  return options;
}

void add_check_flags(CLI::App& verb, CheckFlags& flags) {
  verb.add_flag("--no-check", flags.skip, "Do not look at the pictures before training");
  verb.add_flag("--allow-leaks", flags.allow_leaks, "Train although the data's splits share pictures");
  verb.add_option("--max-unreadable", flags.max_unreadable,
                  "Up to this proportion of pictures that cannot be read is left out")
      ->capture_default_str()
      ->check(number_from(0.0, 1.0))
      ->type_name("X");
}

std::optional<TrainingCheck> check_data(const std::string& data, const HeldBack& held_back,
                                        const CheckFlags& flags, Splits& splits, Console& console) {
  check_not_empty(data, splits);
  if (flags.skip) return std::nullopt;
  ExamineOptions options = examine_options(console);
  if (!environment().cache.empty()) options.keep_in = fs::path(environment().cache) / "looks";
  TrainingCheck check = check_for_training(splits, held_back, options);
  check_readable(data, check, flags);
  check_apart(data, check, flags, splits);
  print_left_out(check, console);
  const auto train = splits.train;
  splits = leave_out(std::move(splits), check.left_out);
  if (train) check_classes_left(data, *train, *splits.train);
  for (const auto& [split, name] :
       {std::pair{splits.train.get(), "train"}, {splits.val.get(), "val"}, {splits.test.get(), "test"}})
    if (split && split->size() == 0)
      throw Error(ErrorKind::corrupt,
                  text(data, ": nothing is left of ", name,
                       " without what cannot be read or is in train too; `enxerto doctor ", shell_word(data),
                       "` tells more"));
  return check;
}

void save_check(const fs::path& run, const TrainingCheck& check) {
  write_file(run / check_name,
             check.to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Splits leave_out_as_in(const fs::path& run, Splits splits) {
  const fs::path path = run / check_name;
  if (!fs::exists(path)) return splits;
  try {
    return leave_out(std::move(splits),
                     left_out_from_json(nlohmann::json::parse(read_text_file(path), nullptr, false)));
  } catch (const Error& error) {
    throw Error(error.kind(), text(path.string(), ": ", error.what()));
  }
}

}  // namespace enxerto::cli
