/// Every sentence of the page and of the summary, so that another language is another Texts. "{}" is
/// where a value goes.
#pragma once

namespace enxerto {

struct Texts {
  const char* language = "en";

  const char* title = "{} on {}";
  const char* finished = "Finished; epochs: {}.";
  const char* stopped_early = "Stopped early after epoch {} of {}: it no longer got better.";
  const char* diverged = "Diverged after epoch {} of {}: loss or gradient were no longer finite.";
  const char* running = "Still running: {} of {} epochs are done.";
  const char* interrupted =
      "Not finished: {} of {} epochs are done, and for {} nothing was added. What was done is kept.";
  const char* go_on = "To go on: {}";
  const char* try_lower_rate = "A lower learning rate or clipping the gradient (clip_norm) often helps.";

  const char* outcome = "outcome";
  const char* data = "data";
  const char* best_epoch = "best epoch";
  const char* test = "test";
  const char* val = "validation";
  const char* weakest = "weakest";
  const char* time = "time";
  const char* memory = "memory";
  const char* files = "files";

  const char* top1 = "top-1";
  const char* top5 = "top-5";
  const char* loss = "loss";
  const char* pictures = "{} pictures";
  const char* images_per_second = "images/s";
  const char* unknown = "unknown";

  const char* summary_interval = " (95 %: {})";
  const char* summary_data = "{} classes; {} pictures to train on, {} for validation, {} for the test";
  const char* summary_epoch = "{}";
  const char* summary_by = ", by {}";
  const char* summary_weak = "{}: {} of {} recognised";
  const char* summary_taken_for = ", most often taken for {}";
  const char* summary_chip = ", {}, threads: {}";
  const char* summary_memory = "{} at most";
  const char* file_model = "best weights";
  const char* file_report = "report";
};
inline constexpr Texts english;

}  // namespace enxerto
