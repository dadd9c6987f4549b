/// Every sentence of the page and of the summary, so that another language is another Texts. "{}" is
/// where a value goes. What stands in the page is HTML and is not escaped again.
#pragma once

namespace enxerto {

struct Texts {
  const char* language = "en";
  const char* title = "{} on {}";
  const char* unknown = "unknown";
  const char* bounds = "{} to {}";

  // What became of the run.
  const char* finished = "Finished: {} of {} epochs are done.";
  const char* stopped_early = "Stopped early after epoch {} of {}: it no longer got better.";
  const char* diverged = "Diverged after epoch {} of {}: loss or gradient were no longer finite.";
  const char* try_lower_rate = "A lower learning rate or a clipped gradient often helps.";
  const char* diverged_message = " It said: {}";
  const char* running = "Still running: {} of {} epochs are done.";
  const char* interrupted =
      "Not finished: {} of {} epochs are done, and for {} nothing was added. What was done is kept.";
  const char* unread_lines = "Lines of log.jsonl that are damaged and were passed over: {}.";
  const char* no_epochs = "No epoch is done yet, so there is little to show.";

  // The summary for a terminal.
  const char* outcome = "outcome";
  const char* teacher = "teacher";
  const char* data = "data";
  const char* best_epoch = "best epoch";
  const char* test = "test";
  const char* val = "validation";
  const char* weakest = "weakest";
  const char* time = "time";
  const char* memory = "memory";
  const char* files = "files";
  const char* go_on = "to go on";
  const char* top1 = "top-1";
  const char* top5 = "top-5";
  const char* summary_multi_label = "mAP {}, micro F1 {}, macro F1 {}, all labels right in {}";
  const char* loss = "loss";
  const char* pictures = "{} pictures";
  const char* images_per_second = "images/s";
  const char* summary_interval = " (95 %: {})";
  const char* summary_data = "{} classes; {} pictures to train on, {} for validation, {} for the test";
  const char* summary_data_features =
      "{} features; {} pictures to train on, {} for validation, {} for the test";
  const char* summary_by = ", by {}";
  const char* summary_weak = "{}: {} of {} recognised";
  const char* summary_average_precision = ", average precision {}";
  const char* summary_taken_for = ", most often taken for {}";
  const char* summary_chip = ", {}, threads: {}";
  const char* summary_memory = "{} at most";
  const char* file_model = "best weights";
  const char* file_report = "report";
  const char* file_checkpoint = "checkpoint";

  // The page: figures at its head.
  const char* results = "Results";
  const char* tile_test = "Test top-1";
  const char* tile_val = "Validation top-1";
  const char* tile_test_map = "Test mAP";
  const char* tile_val_map = "Validation mAP";
  const char* tile_test_loss = "Test loss";
  const char* tile_val_loss = "Validation loss";
  const char* tile_map_note = "all labels right in {}";
  const char* tile_interval = "95 %: {}";
  const char* tile_best = "Best epoch";
  const char* tile_by = "by {}, of {}";
  const char* tile_time = "Time";
  const char* tile_steps = "{} steps";
  const char* tile_speed = "Images per second";
  const char* tile_speed_note = "in training";
  const char* tile_memory = "Memory at most";
  const char* tile_memory_note = "whole process";

  // The page: charts.
  const char* curves = "Curves";
  const char* epoch = "epoch";
  const char* log_scale = "<span class=key>logarithmic</span>";
  const char* chart_line = "{}: from {} to {}, lowest {}, highest {}. ";
  const char* chart_loss = "Loss";
  const char* chart_top1 = "Top-1";
  const char* chart_map = "Mean average precision (mAP)";
  const char* chart_lr = "Learning rate";
  const char* chart_grad_norm = "Gradient norm before clipping";
  const char* chart_speed = "Images per second in training";
  const char* line_train = "training";
  const char* line_val = "validation";
  const char* line_steps = "single batches";
  const char* line_each_step = "each step";
  const char* line_each_epoch = "each epoch";
  const char* line_interval = "95 % interval";
  const char* line_best = "best epoch";
  const char* curves_note =
      "Training figures are taken while the weights change, with augmentation, dropout, smoothing and "
      "penalties; validation figures at the end of the epoch without them. Training may thus look worse.";
  const char* mixed_note =
      " The training pictures were mixed: a picture counts as right in training if its likeliest class is "
      "one whose "
      "share in the mixture is one half or more.";
  const char* several_note =
      " A picture may have several labels: top-1 is how often the likeliest class is one of them, among the "
      "pictures that have one.";
  const char* epochs_summary = "The figures of each epoch";
  const char* epochs_caption = "Figures of each epoch.";
  const char* epochs_cut = " Of every {} epochs one is shown.";
  const char* column_epoch = "Epoch";
  const char* column_train_loss = "Training loss";
  const char* column_val_loss = "Validation loss";
  const char* column_train_top1 = "Training top-1";
  const char* column_val_top1 = "Validation top-1";
  const char* column_interval = "95 % interval";
  const char* column_lr = "Learning rate";
  const char* column_grad_norm = "Gradient norm";
  const char* column_speed = "Images/s";
  const char* column_time = "Time";

  // The page: one evaluation.
  const char* section_test = "Test: {} pictures that the training never saw";
  const char* section_test_shared = "Test: {} pictures, some of which training may have seen";
  const char* section_val = "Validation: {} pictures that chose the best epoch";
  const char* evaluation_top1 = "Top-1 is {}";
  const char* evaluation_multi_label =
      "The mean over classes of the average precision (mAP) is {}; where a class counts as found from a "
      "probability "
      "of one half on, the micro F1 is {}, and {} of the pictures have exactly the right labels. The "
      "likeliest "
      "class is a right one in {} of the pictures that have a label";
  const char* evaluation_interval = ", with a 95 % interval (Wilson) of {}";
  const char* evaluation_top5 = "; top-5 {}";
  const char* evaluation_only_loss = "The loss is {}";
  const char* evaluation_loss = "; loss {}";
  const char* evaluation_macro = "; mean over classes: recall {}, precision {}, F1 {}";
  const char* evaluation_baseline = ". Always naming the largest class would reach {}";
  const char* confusion = "Confusion matrix";
  const char* confusion_caption =
      "Confusion matrix: pictures of the class of the row that were taken for the class of the column. The "
      "darker a cell, the larger its part of the row.";
  const char* confusion_corner = "true &darr; predicted &rarr;";
  const char* confusion_cell = "Of {} taken for {}: {} of {} pictures ({} %).";
  const char* confusion_hint =
      "Point at a cell, or go there with the Tab key and on with the arrow keys, to read what it means.";
  const char* confusion_too_large =
      "There are {} classes, more than the {} for which a confusion matrix can be read.";
  const char* scale_right = "right: 0 to 100 %";
  const char* scale_wrong = "wrong: 0 to 100 %";
  const char* pairs_caption = "Most frequent confusions.";
  const char* pairs_truth = "True class";
  const char* pairs_predicted = "Taken for";
  const char* pairs_count = "Pictures";
  const char* pairs_part = "Of the true class";
  const char* classes_heading = "Classes";
  const char* classes_caption =
      "Each class, weakest first. Recall: how much of the class was recognised; precision: how often its "
      "name was right.";
  const char* classes_multi_caption =
      "Each class, weakest first. Average precision: the area under the curve of precision over recall; the "
      "others "
      "are those at a probability of one half.";
  const char* column_average_precision = "Average precision";
  const char* classes_cut = " The {} weakest of {}.";
  const char* column_class = "Class";
  const char* column_pictures = "Pictures";
  const char* column_recall = "Recall";
  const char* column_precision = "Precision";
  const char* column_f1 = "F1";

  // The page: what a graft did to the network.
  const char* transfer_heading = "The graft";
  const char* transfer_frozen = "Of {} frozen layers {} are bit for bit as they were (<code>{}</code>).";
  const char* transfer_calibration =
      " Probabilities are calibrated at temperature {}: the expected calibration error was {} and is {}, on "
      "the "
      "validation pictures.";
  const char* transfer_unknown =
      " Pictures further than {} from all classes are answered with “unknown”: {} of the {} pictures are "
      "answered, "
      "{} of those wrongly.";
  const char* transfer_auto =
      " Without a recipe asked for, a probe had {} of the validation pictures right, {} {}; kept was {}.";
  const char* transfer_auto_probe =
      " Without a recipe asked for, a probe was found best: {} of the validation pictures right.";
  const char* moved_caption = "How far each trained layer moved, relative to its length at the start.";
  const char* moved_cut = " The {} that moved most of {}.";
  const char* column_layer = "Layer";
  const char* column_moved = "Moved";
  const char* moved_new = "new";
  const char* chart_coverage = "Errors by the share that is answered";
  const char* line_by_distance = "the nearest first";
  const char* line_by_confidence = "the surest first";
  const char* coverage = "share answered";
  const char* chart_lr_range = "Range test: loss by learning rate";
  const char* line_smoothed = "smoothed loss";
  const char* log_rate = "power of ten of the rate";
  const char* line_suggested = "suggested";

  // The page: the pictures, as they were looked at before training.
  const char* pictures_heading = "Data";
  const char* pictures_looked_at = "{} pictures were looked at before training, in {}.";
  const char* pictures_sound = " All could be read, and the splits share none.";
  const char* pictures_left_out = " Left out were {}, of which {} could not be read.";
  const char* pictures_shared =
      " <strong>Pictures that are in more than one split: {}. The figures of validation and test are too "
      "good.</strong>";
  const char* left_out_caption = "Pictures that were left out.";
  const char* left_out_cut = " The first {} of {}.";
  const char* column_file = "File";
  const char* column_split = "Split";
  const char* column_reason = "Reason";
  const char* shared_caption = "Pictures that are in more than one split.";
  const char* column_same = "The same picture";

  // The page: what was run.
  const char* how = "What was run";
  const char* facts_data = "Data";
  const char* facts_training = "Training";
  const char* facts_machine = "Machine and files";
  const char* fact_path = "Path";
  const char* fact_classes = "Classes";
  const char* fact_more = " and {} more";
  const char* fact_train = "Training pictures";
  const char* fact_val = "Validation pictures";
  const char* fact_test = "Test pictures";
  const char* fact_digest = "{} <small>(digest {})</small>";
  const char* fact_none = "none";
  const char* fact_held_back = "Held back from training";
  const char* fact_held_back_value = "validation {}, test {}, seed {}; where the data has no such split";
  const char* fact_preprocess = "Preprocessing";
  const char* fact_augment = "Augmentation";
  const char* fact_net = "Network";
  const char* fact_input = "Input (c, h, w)";
  const char* fact_weights = "Weights at the start";
  const char* fact_freeze = "Frozen";
  const char* fact_transfer = "Transfer";
  const char* fact_distill = "Distillation";
  const char* fact_epochs = "Epochs planned";
  const char* fact_batch = "Batch";
  const char* fact_loss = "Loss";
  const char* fact_optimizer = "Optimiser";
  const char* fact_schedule = "Learning rate";
  const char* fact_penalty = "Penalty";
  const char* fact_clip = "Gradient clipped at";
  const char* fact_stop = "Best epoch by";
  const char* fact_stop_value = "{}; stops early after {} epochs that do not better it by more than {}";
  const char* fact_stop_never = "{}; never stops early";
  const char* fact_seed = "Seed";
  const char* fact_chip = "Processor";
  const char* fact_threads = "Threads";
  const char* fact_workers = "Loader workers";
  const char* fact_version = "Version";
  const char* fact_folder = "Run folder";
  const char* fact_model = "Best weights";
  const char* fact_config = "Configuration";
  const char* fact_log = "Log";
  const char* command = "The command";
  const char* resume = "To go on";
  const char* predict = "To use it";
  const char* fit_on_it = "To grow a head on it";
  const char* fit_data = "PHOTOS";
  const char* predict_files = "PICTURE...";
  const char* made_by =
      "Made by <code>enxerto report</code> from the run folder alone; this page needs no network.";
};
inline constexpr Texts english;

}  // namespace enxerto
