#include "cli/progress.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "cli/commands.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

constexpr double seconds_between_bars = 0.1, seconds_between_lines = 10;

std::string format_lr(double lr) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.2e", lr);
  return buffer.data();
}

std::string format_rate(double images_per_second) { return with_commas(std::llround(images_per_second)); }

std::string format_memory(std::int64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

std::string format_place(int epoch, int epochs) { return text(epoch, "/", epochs); }

/// Top-1, or the mean average precision where a picture may have several labels.
std::string format_score(const Evaluation& evaluation) {
  if (evaluation.only_loss) return "-";
  if (!evaluation.multi_label) return percent(evaluation.top1());
  const auto precision = evaluation.multi_label->mean_average_precision();
  return precision ? percent(*precision) : "-";
}

/// The columns of the table of epochs; 79 together, so that a terminal of 80 holds them.
constexpr std::array<int, 9> widths = {7, 8, 9, 10, 9, 9, 10, 11, 6};

std::string format_row(const std::array<std::string, widths.size()>& cells) {
  std::string row;
  for (std::size_t i = 0; i < cells.size(); ++i)
    row += pad_left(cells[i], static_cast<std::size_t>(widths[i]));
  return row;
}

}  // namespace

std::string format_bar(double done, int width, bool unicode) {
  const int halves = static_cast<int>(std::lround(std::clamp(done, 0.0, 1.0) * 2 * width));
  std::string bar;
  for (int i = 0; i < width; ++i) {
    const int filled = std::clamp(halves - 2 * i, 0, 2);
    if (unicode)
      bar += filled == 2 ? "━" : filled == 1 ? "╸" : "─";
    else
      bar += filled == 2 ? '#' : filled == 1 ? '>' : '.';
  }
  return bar;
}

void Pace::show(std::int64_t done, std::int64_t all) {
  const double now = now_seconds();
  if (first_ < 0) {
    first_ = done;
    began_ = now;
    shown_ = console_->is_terminal() ? 0 : now;
  }
  if (done == all) return console_->clear();
  if (done == first_ ||
      now - shown_ < (console_->is_terminal() ? seconds_between_bars : seconds_between_lines))
    return;
  shown_ = now;
  const double pace = static_cast<double>(done - first_) / std::max(now - began_, 1e-9);
  const std::string line = text(what_, ": ", with_commas(done), " of ", with_commas(all), ", ",
                                pace < 10 ? fixed(pace, 1) : format_rate(pace), " a second, ",
                                human_seconds(static_cast<double>(all - done) / pace), " left");
  if (console_->is_terminal())
    console_->draw(line);
  else
    console_->line(line);
}

void Progress::on_start(const RunStart& start) {
  if (start.goes_on) return;
  start_ = start;
  began_ = last_shown_ = now_seconds();
  console_.line(console_.dim(
      format_row({"epoch", "loss", "top-1", "val loss", start.multi_label ? "val mAP" : "val top1", "img/s",
                  "lr", "memory", "time"})));
}

double Progress::seconds_left(std::int64_t step) const {
  const std::int64_t done = step - start_.first_step;
  const std::int64_t left = start_.steps_per_epoch * start_.epochs - step;
  return (now_seconds() - began_) / static_cast<double>(std::max<std::int64_t>(done, 1)) *
         static_cast<double>(left);
}

void Progress::draw_bar(const StepReport& report) {
  const auto steps = static_cast<double>(epoch_steps_);
  const bool validates = report.step_in_epoch == report.steps_per_epoch && start_.val_pictures > 0;
  const std::string front = text(title_, "epoch ", format_place(report.epoch, report.epochs));
  // In the order in which they stand, each with what it is worth where there is little room.
  struct Part {
    std::string content;
    int worth;
  };
  std::vector<Part> parts = {
      {"loss " + fixed(epoch_loss_ / steps, 3), 5},
      {format_rate(report.images_per_second) + " img/s", 3},
      {"lr " + format_lr(report.lr), 2},
      {format_memory(report.peak_memory_bytes), 1},
      {validates ? "validating" : human_seconds(seconds_left(report.step)) + " left", 6}};
  if (report.top1) parts.insert(parts.begin() + 1, {"top-1 " + percent(epoch_top1_ / steps), 4});
  constexpr int least_bar = 8, most_bar = 30;
  const auto room_for_bar = [&] {
    std::size_t used = columns_of(front) + 2 + 6;  // two blanks before the bar, the percentage behind it
    for (const Part& part : parts) used += 2 + columns_of(part.content);
    return console_.width() - 1 - static_cast<int>(used);
  };
  while (!parts.empty() && room_for_bar() < least_bar)
    parts.erase(std::ranges::min_element(parts, {}, &Part::worth));
  const double done = static_cast<double>(report.step_in_epoch) / static_cast<double>(report.steps_per_epoch);
  std::string line =
      text(front, "  ", format_bar(done, std::clamp(room_for_bar(), 1, most_bar), console_.has_unicode()),
           pad_left(percent(done, 0), 6));
  for (const Part& part : parts) line += "  " + part.content;
  console_.draw(line);
}

void Progress::on_step(const StepReport& report) {
  epoch_loss_ += report.loss;
  epoch_top1_ += report.top1.value_or(0);
  ++epoch_steps_;
  const double now = now_seconds();
  if (now - last_shown_ < (console_.is_terminal() ? seconds_between_bars : seconds_between_lines)) return;
  last_shown_ = now;
  if (console_.is_terminal()) {
    draw_bar(report);
  } else {
    const auto steps = static_cast<double>(epoch_steps_);
    console_.line(text(
        title_, "epoch ", format_place(report.epoch, report.epochs), ", step ", report.step_in_epoch, " of ",
        report.steps_per_epoch, ": loss ", fixed(epoch_loss_ / steps, 4),
        report.top1 ? text(", top-1 ", percent(epoch_top1_ / steps)) : "", ", ",
        format_rate(report.images_per_second), " img/s, lr ", format_lr(report.lr), ", ",
        format_memory(report.peak_memory_bytes), ", ", human_seconds(seconds_left(report.step)), " left"));
  }
}

bool Progress::on_epoch(const EpochReport& report, const Graph&, const TrainState&) {
  const bool has_val = report.val.has_value();
  const std::string row = format_row(
      {format_place(report.epoch, report.epochs), fixed(report.train_loss, 4),
       report.train_top1 ? percent(*report.train_top1) : "-", has_val ? fixed(report.val->loss, 4) : "-",
       has_val ? format_score(*report.val) : "-", format_rate(report.images_per_second), format_lr(report.lr),
       format_memory(report.peak_memory_bytes), human_seconds(report.seconds)});
  console_.line(report.best ? console_.bold(row + "*") : row);
  // In an epoch of some length: the first batch of each is always waited for.
  const double training = report.seconds_waiting > 1 ? report.seconds : 0;
  if (training > 0 && report.seconds_waiting > 0.1 * training)
    console_.line(console_.dim(text("        waiting for pictures ",
                                    percent(report.seconds_waiting / training, 0), " of the time")));
  if (!report.note.empty() && report.note != note_) console_.warn(report.note);
  note_ = report.note;
  for (const LayerFault& fault : report.faults)
    if (said_.insert(fault.kind).second) console_.warn(format_fault(fault));
  epoch_loss_ = epoch_top1_ = 0;
  epoch_steps_ = 0;
  if (!console_.is_terminal()) last_shown_ = now_seconds();
  return true;
}

}  // namespace enxerto::cli
