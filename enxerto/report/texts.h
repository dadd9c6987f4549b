/// Every sentence of the page and of the summary, in both languages side by side. "{}" is where a value goes.
/// What stands in the page is HTML and is not escaped again.
#pragma once

#include <cstddef>
#include <string_view>

namespace enxerto {

enum class Language { english, portuguese };

struct Texts {
  Language spoken = Language::english;

  const char* language = say("en", "pt");
  const char* title = say("{} on {}", "{} em {}");
  const char* unknown = say("unknown", "desconhecido");
  const char* bounds = say("{} to {}", "{} a {}");

  // What became of the run.
  const char* finished = say("Finished: {} of {} epochs are done.", "Terminado: {} de {} épocas feitas.");
  const char* stopped_early = say("Stopped early after epoch {} of {}: it no longer got better.",
                                  "Parou mais cedo, após a época {} de {}: já não melhorava.");
  const char* diverged =
      say("Diverged after epoch {} of {}: loss or gradient were no longer finite.",
          "Divergiu após a época {} de {}: a perda ou o gradiente deixaram de ser finitos.");
  const char* try_lower_rate =
      say("A lower learning rate or a clipped gradient often helps.",
          "Uma taxa de aprendizagem menor ou um gradiente limitado costumam ajudar.");
  const char* diverged_message = say(" It said: {}", " Disse: {}");
  const char* running =
      say("Still running: {} of {} epochs are done.", "Ainda a correr: {} de {} épocas feitas.");
  const char* interrupted = say(
      "Not finished: {} of {} epochs are done, and for {} nothing was added. What was done is kept.",
      "Por acabar: {} de {} épocas feitas, e há {} que nada se acrescenta. O que foi feito está guardado.");
  const char* unread_lines = say("Lines of log.jsonl that are damaged and were passed over: {}.",
                                 "Linhas do log.jsonl danificadas e passadas à frente: {}.");
  const char* no_epochs = say("No epoch is done yet, so there is little to show.",
                              "Ainda não há uma época feita, por isso há pouco para mostrar.");

  // The summary for a terminal.
  const char* outcome = say("outcome", "desfecho");
  const char* teacher = say("teacher", "professor");
  const char* data = say("data", "dados");
  const char* best_epoch = say("best epoch", "melhor época");
  const char* test = say("test", "teste");
  const char* val = say("validation", "validação");
  const char* weakest = say("weakest", "mais fracas");
  const char* time = say("time", "tempo");
  const char* memory = say("memory", "memória");
  const char* files = say("files", "ficheiros");
  const char* go_on = say("to go on", "para continuar");
  const char* top1 = say("top-1", "top-1");
  const char* top5 = say("top-5", "top-5");
  const char* summary_multi_label = say("mAP {}, micro F1 {}, macro F1 {}, all labels right in {}",
                                        "mAP {}, F1 micro {}, F1 macro {}, todas as etiquetas certas em {}");
  const char* loss = say("loss", "perda");
  const char* pictures = say("{} pictures", "{} imagens");
  const char* images_per_second = say("images/s", "imagens/s");
  const char* summary_interval = say(" (95 %: {})", " (95 %: {})");
  const char* summary_data = say("{} classes; {} pictures to train on, {} for validation, {} for the test",
                                 "{} classes; {} imagens de treino, {} de validação, {} de teste");
  const char* summary_data_features =
      say("{} features; {} pictures to train on, {} for validation, {} for the test",
          "{} características; {} imagens de treino, {} de validação, {} de teste");
  const char* summary_by = say(", by {}", ", por {}");
  const char* summary_weak = say("{}: {} of {} recognised", "{}: {} de {} reconhecidas");
  const char* summary_average_precision = say(", average precision {}", ", precisão média {}");
  const char* summary_taken_for = say(", most often taken for {}", ", mais vezes tomada por {}");
  const char* summary_chip = say(", {}, threads: {}", ", {}, threads: {}");
  const char* summary_memory = say("{} at most", "{} no máximo");
  const char* file_model = say("best weights", "melhores pesos");
  const char* file_report = say("report", "relatório");
  const char* file_checkpoint = say("checkpoint", "ponto de retoma");

  // The page: figures at its head.
  const char* results = say("Results", "Resultados");
  const char* tile_test = say("Test top-1", "Top-1 no teste");
  const char* tile_val = say("Validation top-1", "Top-1 na validação");
  const char* tile_test_map = say("Test mAP", "mAP no teste");
  const char* tile_val_map = say("Validation mAP", "mAP na validação");
  const char* tile_test_loss = say("Test loss", "Perda no teste");
  const char* tile_val_loss = say("Validation loss", "Perda na validação");
  const char* tile_map_note = say("all labels right in {}", "todas as etiquetas certas em {}");
  const char* tile_interval = say("95 %: {}", "95 %: {}");
  const char* tile_best = say("Best epoch", "Melhor época");
  const char* tile_by = say("by {}, of {}", "por {}, de {}");
  const char* tile_time = say("Time", "Tempo");
  const char* tile_steps = say("{} steps", "{} passos");
  const char* tile_speed = say("Images per second", "Imagens por segundo");
  const char* tile_speed_note = say("in training", "em treino");
  const char* tile_memory = say("Memory at most", "Memória no máximo");
  const char* tile_memory_note = say("whole process", "processo inteiro");

  // The page: charts.
  const char* curves = say("Curves", "Curvas");
  const char* epoch = say("epoch", "época");
  const char* log_scale = say("<span class=key>logarithmic</span>", "<span class=key>logarítmica</span>");
  const char* chart_line =
      say("{}: from {} to {}, lowest {}, highest {}. ", "{}: de {} a {}, mínimo {}, máximo {}. ");
  const char* chart_loss = say("Loss", "Perda");
  const char* chart_top1 = say("Top-1", "Top-1");
  const char* chart_map = say("Mean average precision (mAP)", "Precisão média sobre as classes (mAP)");
  const char* chart_lr = say("Learning rate", "Taxa de aprendizagem");
  const char* chart_grad_norm = say("Gradient norm before clipping", "Norma do gradiente antes de limitada");
  const char* chart_speed = say("Images per second in training", "Imagens por segundo em treino");
  const char* line_train = say("training", "treino");
  const char* line_val = say("validation", "validação");
  const char* line_steps = say("single batches", "lotes, um a um");
  const char* line_each_step = say("each step", "cada passo");
  const char* line_each_epoch = say("each epoch", "cada época");
  const char* line_interval = say("95 % interval", "intervalo de 95 %");
  const char* line_best = say("best epoch", "melhor época");
  const char* curves_note =
      say("Training figures are taken while the weights change, with augmentation, dropout, smoothing and "
          "penalties; validation figures at the end of the epoch without them. Training may thus look worse.",
          "Os valores de treino são tirados enquanto os pesos mudam, com aumentação, dropout, suavização e "
          "penalizações; os de validação no fim da época e sem elas. O treino pode por isso parecer pior.");
  const char* mixed_note =
      say(" The training pictures were mixed: a picture counts as right in training if its likeliest class "
          "is one whose share in the mixture is one half or more.",
          " As imagens de treino foram misturadas: em treino, uma imagem conta como certa se a classe mais "
          "provável tiver na mistura uma parte de metade ou mais.");
  const char* several_note =
      say(" A picture may have several labels: top-1 is how often the likeliest class is one of them, among "
          "the pictures that have one.",
          " Uma imagem pode ter várias etiquetas: o top-1 é quantas vezes a classe mais provável é uma "
          "delas, entre as imagens que têm alguma.");
  const char* epochs_summary = say("The figures of each epoch", "Os valores de cada época");
  const char* epochs_caption = say("Figures of each epoch.", "Valores de cada época.");
  const char* epochs_cut = say(" Of every {} epochs one is shown.", " De cada {} épocas mostra-se uma.");
  const char* column_epoch = say("Epoch", "Época");
  const char* column_train_loss = say("Training loss", "Perda no treino");
  const char* column_val_loss = say("Validation loss", "Perda na validação");
  const char* column_train_top1 = say("Training top-1", "Top-1 no treino");
  const char* column_val_top1 = say("Validation top-1", "Top-1 na validação");
  const char* column_interval = say("95 % interval", "Intervalo de 95 %");
  const char* column_lr = say("Learning rate", "Taxa de aprendizagem");
  const char* column_grad_norm = say("Gradient norm", "Norma do gradiente");
  const char* column_speed = say("Images/s", "Imagens/s");
  const char* column_time = say("Time", "Tempo");

  // The page: one evaluation.
  const char* section_test =
      say("Test: {} pictures that the training never saw", "Teste: {} imagens que o treino nunca viu");
  const char* section_test_shared = say("Test: {} pictures, some of which training may have seen",
                                        "Teste: {} imagens, algumas das quais o treino pode ter visto");
  const char* section_val = say("Validation: {} pictures that chose the best epoch",
                                "Validação: {} imagens que escolheram a melhor época");
  const char* evaluation_top1 = say("Top-1 is {}", "O top-1 é {}");
  const char* evaluation_multi_label =
      say("The mean over classes of the average precision (mAP) is {}; where a class counts as found from a "
          "probability of one half on, the micro F1 is {}, and {} of the pictures have exactly the right "
          "labels. The likeliest class is a right one in {} of the pictures that have a label",
          "A média sobre as classes da precisão média (mAP) é {}; contando uma classe como encontrada a "
          "partir de uma probabilidade de metade, o F1 micro é {}, e {} das imagens têm exatamente as "
          "etiquetas certas. A classe mais provável está certa em {} das imagens que têm etiqueta");
  const char* evaluation_interval =
      say(", with a 95 % interval (Wilson) of {}", ", com um intervalo de 95 % (Wilson) de {}");
  const char* evaluation_top5 = say("; top-5 {}", "; top-5 {}");
  const char* evaluation_only_loss = say("The loss is {}", "A perda é {}");
  const char* evaluation_loss = say("; loss {}", "; perda {}");
  const char* evaluation_macro = say("; mean over classes: recall {}, precision {}, F1 {}",
                                     "; média sobre as classes: sensibilidade {}, precisão {}, F1 {}");
  const char* evaluation_baseline =
      say(". Always naming the largest class would reach {}", ". Dizer sempre a classe maior daria {}");
  const char* confusion = say("Confusion matrix", "Matriz de confusão");
  const char* confusion_caption =
      say("Confusion matrix: pictures of the class of the row that were taken for the class of the column. "
          "The darker a cell, the larger its part of the row.",
          "Matriz de confusão: imagens da classe da linha que foram tomadas pela classe da coluna. Quanto "
          "mais carregada a célula, maior a sua parte da linha.");
  const char* confusion_corner = say("true &darr; predicted &rarr;", "verdade &darr; previsão &rarr;");
  const char* confusion_cell =
      say("Of {} taken for {}: {} of {} pictures ({} %).", "De {} tomadas por {}: {} de {} imagens ({} %).");
  const char* confusion_hint = say(
      "Point at a cell, or go there with the Tab key and on with the arrow keys, to read what it means.",
      "Aponte para uma célula, ou vá até lá com a tecla Tab e siga com as setas, para ler o que significa.");
  const char* confusion_hint_pictures =
      say("Point at a cell, or go there with the Tab key and on with the arrow keys, to read what it means; "
          "a click or the Enter key shows its pictures.",
          "Aponte para uma célula, ou vá até lá com a tecla Tab e siga com as setas, para ler o que "
          "significa; um clique ou a tecla Enter mostra as suas imagens.");
  const char* confusion_too_large =
      say("There are {} classes, more than the {} for which a confusion matrix can be read.",
          "Há {} classes, mais do que as {} para as quais uma matriz de confusão se lê.");
  const char* scale_right = say("right: 0 to 100 %", "certas: 0 a 100 %");
  const char* scale_wrong = say("wrong: 0 to 100 %", "erradas: 0 a 100 %");
  const char* pairs_caption = say("Most frequent confusions.", "Confusões mais frequentes.");
  const char* pairs_truth = say("True class", "Classe verdadeira");
  const char* pairs_predicted = say("Taken for", "Tomada por");
  const char* pairs_count = say("Pictures", "Imagens");
  const char* pairs_part = say("Of the true class", "Da classe verdadeira");
  const char* classes_heading = say("Classes", "Classes");
  const char* classes_caption =
      say("Each class, weakest first. Recall: how much of the class was recognised; precision: how often its "
          "name was right.",
          "Cada classe, a mais fraca primeiro. Sensibilidade: quanto da classe foi reconhecido; precisão: "
          "quantas vezes o nome estava certo.");
  const char* classes_multi_caption =
      say("Each class, weakest first. Average precision: the area under the curve of precision over recall; "
          "the others are those at a probability of one half.",
          "Cada classe, a mais fraca primeiro. Precisão média: a área sob a curva da precisão em função da "
          "sensibilidade; os outros valores são os de uma probabilidade de metade.");
  const char* column_average_precision = say("Average precision", "Precisão média");
  const char* classes_cut = say(" The {} weakest of {}.", " As {} mais fracas de {}.");
  const char* column_class = say("Class", "Classe");
  const char* column_pictures = say("Pictures", "Imagens");
  const char* column_recall = say("Recall", "Sensibilidade");
  const char* column_precision = say("Precision", "Precisão");
  const char* column_f1 = say("F1", "F1");

  // The page: what a graft did to the network.
  const char* transfer_heading = say("The graft", "O enxerto");
  const char* transfer_frozen =
      say("Of {} frozen layers {} are bit for bit as they were (<code>{}</code>).",
          "De {} camadas congeladas, {} estão bit a bit como estavam (<code>{}</code>).");
  const char* transfer_calibration =
      say(" Probabilities are calibrated at temperature {}: the expected calibration error was {} and is {}, "
          "on the validation pictures.",
          " As probabilidades estão calibradas à temperatura {}: o erro de calibração esperado era {} e é "
          "{}, nas imagens de validação.");
  const char* transfer_unknown =
      say(" Pictures further than {} from all classes are answered with “unknown”: {} of the {} pictures are "
          "answered, {} of those wrongly.",
          " Imagens a mais de {} de todas as classes recebem a resposta “desconhecido”: {} das {} imagens "
          "têm resposta, {} delas errada.");
  const char* transfer_auto = say(
      " Without a recipe asked for, a probe had {} of the validation pictures right, {} {}; kept was {}.",
      " Sem receita pedida, uma sonda (probe) acertou em {} das imagens de validação, {} em {}; ficou {}.");
  const char* transfer_auto_probe =
      say(" Without a recipe asked for, a probe was found best: {} of the validation pictures right.",
          " Sem receita pedida, a sonda (probe) foi a melhor: {} das imagens de validação certas.");
  const char* moved_caption =
      say("How far each trained layer moved, relative to its length at the start.",
          "Quanto cada camada treinada se moveu, em relação ao seu comprimento no início.");
  const char* moved_cut = say(" The {} that moved most of {}.", " As {} que mais se moveram de {}.");
  const char* column_layer = say("Layer", "Camada");
  const char* column_moved = say("Moved", "Moveu-se");
  const char* moved_new = say("new", "nova");
  const char* chart_coverage =
      say("Errors by the share that is answered", "Erros conforme a parte que tem resposta");
  const char* line_by_distance = say("the nearest first", "as mais próximas primeiro");
  const char* line_by_confidence = say("the surest first", "as mais seguras primeiro");
  const char* coverage = say("share answered", "parte com resposta");
  const char* chart_lr_range =
      say("Range test: loss by learning rate", "Ensaio de taxas: perda por taxa de aprendizagem");
  const char* line_smoothed = say("smoothed loss", "perda suavizada");
  const char* log_rate = say("power of ten of the rate", "potência de dez da taxa");
  const char* line_suggested = say("suggested", "sugerida");

  // The page: the pictures, as they were looked at before training.
  const char* pictures_heading = say("Data", "Dados");
  const char* pictures_looked_at = say("{} pictures were looked at before training, in {}.",
                                       "{} imagens foram vistas antes do treino, em {}.");
  const char* pictures_sound = say(" All could be read, and the splits share none.",
                                   " Todas se puderam ler, e as partes não têm nenhuma em comum.");
  const char* pictures_left_out = say(" Left out were {}, of which {} could not be read.",
                                      " Ficaram de fora {}, das quais {} não se puderam ler.");
  const char* pictures_shared =
      say(" <strong>Pictures that are in more than one split: {}. The figures of validation and test are too "
          "good.</strong>",
          " <strong>Imagens que estão em mais do que uma parte: {}. Os valores de validação e de teste são "
          "bons demais.</strong>");
  const char* left_out_caption = say("Pictures that were left out.", "Imagens que ficaram de fora.");
  const char* left_out_cut = say(" The first {} of {}.", " As primeiras {} de {}.");
  const char* column_file = say("File", "Ficheiro");
  const char* column_split = say("Split", "Parte");
  const char* column_reason = say("Reason", "Razão");
  const char* shared_caption =
      say("Pictures that are in more than one split.", "Imagens que estão em mais do que uma parte.");
  const char* column_same = say("The same picture", "A mesma imagem");

  // The page: what was run.
  const char* how = say("What was run", "O que se correu");
  const char* facts_data = say("Data", "Dados");
  const char* facts_training = say("Training", "Treino");
  const char* facts_machine = say("Machine and files", "Máquina e ficheiros");
  const char* fact_path = say("Path", "Caminho");
  const char* fact_classes = say("Classes", "Classes");
  const char* fact_more = say(" and {} more", " e mais {}");
  const char* fact_train = say("Training pictures", "Imagens de treino");
  const char* fact_val = say("Validation pictures", "Imagens de validação");
  const char* fact_test = say("Test pictures", "Imagens de teste");
  const char* fact_digest = say("{} <small>(digest {})</small>", "{} <small>(resumo {})</small>");
  const char* fact_none = say("none", "nenhuma");
  const char* fact_held_back = say("Held back from training", "Retidas do treino");
  const char* fact_held_back_value =
      say("validation {}, test {}, seed {}; where the data has no such split",
          "validação {}, teste {}, semente {}; onde os dados não têm essa parte");
  const char* fact_preprocess = say("Preprocessing", "Pré-processamento");
  const char* fact_augment = say("Augmentation", "Aumentação");
  const char* fact_net = say("Network", "Rede");
  const char* fact_input = say("Input (c, h, w)", "Entrada (c, h, w)");
  const char* fact_weights = say("Weights at the start", "Pesos no início");
  const char* fact_freeze = say("Frozen", "Congelado");
  const char* fact_transfer = say("Transfer", "Transferência");
  const char* fact_distill = say("Distillation", "Destilação");
  const char* fact_epochs = say("Epochs planned", "Épocas previstas");
  const char* fact_batch = say("Batch", "Lote");
  const char* fact_loss = say("Loss", "Perda");
  const char* fact_optimizer = say("Optimiser", "Otimizador");
  const char* fact_schedule = say("Learning rate", "Taxa de aprendizagem");
  const char* fact_penalty = say("Penalty", "Penalização");
  const char* fact_clip = say("Gradient clipped at", "Gradiente limitado a");
  const char* fact_stop = say("Best epoch by", "Melhor época por");
  const char* fact_stop_value = say("{}; stops early after {} epochs that do not better it by more than {}",
                                    "{}; para após {} épocas que não a melhorem em mais de {}");
  const char* fact_stop_never = say("{}; never stops early", "{}; nunca para mais cedo");
  const char* fact_seed = say("Seed", "Semente");
  const char* fact_chip = say("Processor", "Processador");
  const char* fact_threads = say("Threads", "Threads");
  const char* fact_workers = say("Loader workers", "Threads de leitura");
  const char* fact_version = say("Version", "Versão");
  const char* fact_folder = say("Run folder", "Pasta");
  const char* fact_model = say("Best weights", "Melhores pesos");
  const char* fact_config = say("Configuration", "Configuração");
  const char* fact_log = say("Log", "Registo");
  const char* command = say("The command", "O comando");
  const char* resume = say("To go on", "Para continuar");
  const char* predict = say("To use it", "Para o usar");
  const char* fit_on_it = say("To grow a head on it", "Para lhe enxertar uma cabeça");
  const char* fit_data = say("PHOTOS", "FOTOS");
  const char* predict_files = say("PICTURE...", "IMAGEM...");
  const char* made_by =
      say("Made by <code>enxerto report</code> from the run folder alone; this page needs no network.",
          "Feito por <code>enxerto report</code> só a partir da pasta; esta página não precisa de rede.");

  // The page: its languages, its charts.
  const char* other_language = say("Em português", "In English");
  const char* other_language_code = say("pt", "en");
  const char* charts_use =
      say(" Point at a chart to read it, drag to look closer, double-click to come back; a click on a name "
          "hides its line.",
          " Aponte para um gráfico para o ler, arraste para ver de perto, clique duas vezes para voltar; um "
          "clique num nome esconde a sua linha.");
  const char* line_interval_low = say("95 % interval, low", "intervalo de 95 %, baixo");
  const char* line_interval_high = say("95 % interval, high", "intervalo de 95 %, alto");

  // The page: what was asked, what was decided and why.
  const char* asked_heading = say("What was asked and decided", "O que se pediu e o que se decidiu");
  const char* asked_probe =
      say("<b>probe</b>: the network stays as it was, a classifier is fitted to its features ({}).",
          "<b>probe</b>: a rede fica como estava e ajusta-se um classificador às suas características ({}).");
  const char* asked_warmup = say(
      "<b>warmup+finetune</b>: first the new head alone ({}), then the layers from the back.",
      "<b>warmup+finetune</b>: primeiro só a cabeça nova ({}), depois as camadas, de trás para a frente.");
  const char* asked_finetune =
      say("<b>finetune</b>: all layers learn from the start, the head ({}) too.",
          "<b>finetune</b>: todas as camadas aprendem desde o início, e a cabeça ({}) também.");
  const char* asked_scratch =
      say("<b>scratch</b>: the weights were thrown away, all is learnt from these pictures (head: {}).",
          "<b>scratch</b>: os pesos foram deitados fora, tudo se aprende destas imagens (cabeça: {}).");
  const char* asked_train =
      say("A network was trained from its start, with nothing frozen and no advice asked for.",
          "Treinou-se uma rede desde o início, sem nada congelado e sem pedir conselho.");
  const char* asked_train_weights = say("A network was trained on from the weights in {}.",
                                        "Continuou-se a treinar uma rede a partir dos pesos em {}.");
  const char* asked_distill = say("A small network learnt what {} makes of the pictures.",
                                  "Uma rede pequena aprendeu o que {} faz das imagens.");
  const char* asked_cut = say(" The features come from the layer <code>{}</code>.",
                              " As características vêm da camada <code>{}</code>.");
  const char* asked_phase = say(" From epoch {} on, what follows <code>{}</code> learns.",
                                " Da época {} em diante aprende o que vem depois de <code>{}</code>.");
  const char* asked_phase_all =
      say(" From epoch {} on, all layers learn.", " Da época {} em diante aprendem todas as camadas.");
  const char* choices_caption =
      say("What the advice weighed, measured on these pictures: the top-1 to expect, the gain over the probe "
          "with its "
          "standard error, and the time.",
          "O que o conselho pesou, medido nestas imagens: o top-1 a esperar, o ganho sobre a sonda com o seu "
          "erro "
          "padrão, e o tempo.");
  const char* column_recipe = say("Recipe", "Receita");
  const char* column_cut = say("Cut after", "Cortada depois de");
  const char* column_top1 = say("Top-1", "Top-1");
  const char* column_gain = say("Gain", "Ganho");
  const char* column_minutes = say("Minutes", "Minutos");
  const char* gain_value = say("{} ± {}", "{} ± {}");
  const char* estimate_time = say("It took {}; {} were expected.", "Demorou {}; esperavam-se {}.");
  const char* estimate_memory = say(
      "{} of memory at most for the whole process; {} were planned for the network and its pictures.",
      "{} de memória no máximo para o processo inteiro; estavam previstos {} para a rede e as suas imagens.");
  const char* estimate_heading =
      say("Time and memory against the estimate", "Tempo e memória face à estimativa");

  // The page: the gradients of each layer.
  const char* layers_heading = say("Gradients by layer", "Gradientes por camada");
  const char* layers_sound =
      say("No layer stands out: no gradient vanishes or explodes, and no layer is dead or symmetric.",
          "Nenhuma camada se destaca: nenhum gradiente desaparece nem explode, e nenhuma camada está morta "
          "ou simétrica.");
  const char* layers_caption =
      say("Norm of the gradient of each layer at the last step of each epoch, from the input down to the "
          "output. The "
          "bluer, the smaller (vanishing); the redder, the larger (exploding). Copies: filters that are "
          "equal to another. "
          "Still: filters without a gradient.",
          "Norma do gradiente de cada camada no último passo de cada época, da entrada para a saída. Quanto "
          "mais azul, "
          "menor (a desaparecer); quanto mais vermelho, maior (a explodir). Cópias: filtros iguais a outro. "
          "Parados: "
          "filtros sem gradiente.");
  const char* layers_cut = say(" Shown are {} of {} layers and {} of {} epochs.",
                               " Mostram-se {} de {} camadas e {} de {} épocas.");
  const char* column_copies = say("Copies", "Cópias");
  const char* column_still = say("Still", "Parados");
  const char* part_of = say("{} of {}", "{} de {}");
  const char* fault_equal =
      say("<strong>Symmetric</strong>: in <code>{}</code> (and {} more) half the filters or more are copies "
          "of one another; they get "
          "the same gradient and will stay so. Start with random weights (<code>--init he_normal</code>).",
          "<strong>Simétrica</strong>: em <code>{}</code> (e mais {}) metade dos filtros ou mais são cópias "
          "uns dos outros; recebem o "
          "mesmo gradiente e assim ficarão. Comece com pesos aleatórios (<code>--init he_normal</code>).");
  const char* fault_dead =
      say("<strong>Dead</strong>: in <code>{}</code> (and {} more) half the filters or more get no gradient, "
          "shut behind their ReLU. Begin "
          "anew with a lower rate (<code>--lr</code>).",
          "<strong>Morta</strong>: em <code>{}</code> (e mais {}) metade dos filtros ou mais não recebem "
          "gradiente, fechados atrás da sua "
          "ReLU. Recomece com uma taxa menor (<code>--lr</code>).");
  const char* fault_vanishing =
      say("<strong>Vanishing gradient</strong>: in <code>{}</code> (and {} more) it is 100,000 times smaller "
          "than in another layer. Use "
          "<code>--init he_normal</code>, batch norm, or ReLU in place of sigmoid and tanh.",
          "<strong>Gradiente a desaparecer</strong>: em <code>{}</code> (e mais {}) é 100 000 vezes menor do "
          "que noutra camada. Use "
          "<code>--init he_normal</code>, batch norm, ou ReLU em vez de sigmoide e tanh.");
  const char* fault_exploding =
      say("<strong>Exploding gradient</strong>: in <code>{}</code> (and {} more) its norm is 1,000 or more. "
          "Lower the rate "
          "(<code>--lr</code>), or clip the gradients (<code>--clip 1</code>).",
          "<strong>Gradiente a explodir</strong>: em <code>{}</code> (e mais {}) a norma é 1000 ou mais. "
          "Baixe a taxa "
          "(<code>--lr</code>), ou limite os gradientes (<code>--clip 1</code>).");
  const char* fault_since = say(" First seen in epoch {}.", " Visto primeiro na época {}.");

  // The page: pictures.
  const char* worst_heading = say("Largest losses", "Maiores perdas");
  const char* worst_caption = say("The pictures with the largest losses, worst first.",
                                  "As imagens com as maiores perdas, a pior primeiro.");
  const char* column_rank = say("Rank", "Lugar");
  const char* column_picture = say("Picture", "Imagem");
  const char* column_loss = say("Loss", "Perda");
  const char* column_probability = say("Probability", "Probabilidade");
  const char* picture_taken = say("{} taken for {}", "{} tomada por {}");
  const char* picture_right = say("{}, recognised", "{}, reconhecida");
  const char* cell_pictures =
      say("Pictures of {} taken for {}: {} of {} are listed here, the largest loss first.",
          "Imagens de {} tomadas por {}: {} de {} vêm nesta lista, a maior perda primeiro.");
  const char* picture_loss = say("loss {}", "perda {}");

  // The page: how sure the network is.
  const char* sure_heading = say("How sure it is", "Quão segura está");
  const char* sure_sentence =
      say("The mean probability of its answers is {}, and {} of them are right; the expected calibration "
          "error (ten bins of "
          "equal width) is {}. Answering only the surest half would be wrong in {}; the area under the "
          "risk-coverage curve "
          "is {}.",
          "A probabilidade média das suas respostas é {}, e {} delas estão certas; o erro de calibração "
          "esperado (dez "
          "intervalos iguais) é {}. Responder só à metade mais segura erraria em {}; a área sob a curva "
          "risco-cobertura "
          "é {}.");
  const char* chart_reliability =
      say("Reliability: right answers by probability", "Fiabilidade: respostas certas por probabilidade");
  const char* line_reliability = say("answers of this network", "respostas desta rede");
  const char* line_perfect = say("as often right as it is sure", "certa tantas vezes quanto está segura");
  const char* confidence = say("probability of the answer", "probabilidade da resposta");
  const char* bins_summary = say("The figures of each bin", "Os valores de cada intervalo");
  const char* bins_caption = say("Answers by their probability.", "Respostas pela sua probabilidade.");
  const char* column_mean_probability = say("Mean probability", "Probabilidade média");
  const char* column_right = say("Right", "Certas");

  // The page of several runs.
  const char* compare_title = say("{} runs side by side", "{} treinos lado a lado");
  const char* compare_figures = say("Figures of each run.", "Valores de cada treino.");
  const char* compare_run = say("Run", "Treino");
  const char* compare_of = say("What", "O quê");
  const char* compare_outcome = say("Outcome", "Desfecho");
  const char* compare_interval = say("95 % interval", "Intervalo de 95 %");
  const char* compare_settings_heading = say("Settings that differ", "Definições diferentes");
  const char* compare_settings =
      say("Settings in which the runs differ.", "Definições em que os treinos diferem.");
  const char* compare_no_settings =
      say("The runs do not differ in any setting.", "Os treinos não diferem em nenhuma definição.");
  const char* compare_classes = say("Recall of each class", "Sensibilidade de cada classe");
  const char* compare_classes_caption =
      say("How much of each class was recognised ({}).", "Quanto de cada classe foi reconhecido ({}).");
  const char* compare_other_pictures =
      say("<strong>The validation pictures of these runs are not the same: their figures are of different "
          "pictures.</strong>",
          "<strong>As imagens de validação destes treinos não são as mesmas: os valores são de imagens "
          "diferentes.</strong>");
  const char* compare_pairs_heading = say("Is it chance?", "Será acaso?");
  const char* compare_pairs =
      say("Pictures that one run has right and the other wrong, and how likely such a difference is by "
          "chance (exact McNemar test); adjusted, for all pairs of this table (Holm).",
          "Imagens em que um treino acerta e o outro erra, e quão provável seria uma tal diferença por acaso "
          "(teste exato de McNemar); ajustado, para todos os pares desta tabela (Holm).");
  const char* compare_pairs_chosen =
      say("These pictures chose each run's epoch as well: test pictures would be a fairer judge.",
          "Estas imagens escolheram também a época de cada treino: imagens de teste julgariam com mais "
          "justiça.");
  const char* column_first = say("Run", "Treino");
  const char* column_second = say("against", "contra");
  const char* column_first_alone = say("the first alone right", "só o primeiro certo");
  const char* column_second_alone = say("the second alone right", "só o segundo certo");
  const char* column_p = say("p", "p");
  const char* column_p_adjusted = say("p, adjusted", "p, ajustado");
  const char* compare_val = say("validation", "validação");
  const char* compare_test = say("test", "teste");
  const char* chart_val_loss = say("Validation loss", "Perda na validação");
  const char* chart_val_top1 = say("Validation top-1", "Top-1 na validação");
  const char* chart_train_loss = say("Training loss", "Perda no treino");
  const char* run_number = say("Run {}", "Treino {}");

  // The page of `enxerto explain`.
  const char* explained_title = say("Why {} answers as it does", "Porque responde {} como responde");
  const char* explained_by = say("Made by <code>enxerto explain</code>; this page needs no network.",
                                 "Feito por <code>enxerto explain</code>; esta página não precisa de rede.");
  const char* near_heading = say("Nearest training pictures", "Imagens de treino mais próximas");
  const char* near_caption = say(
      "Of the {} training pictures in <code>{}</code>, those whose features lie nearest: the {} numbers "
      "after "
      "<code>{}</code>, which the answer is made of. The distance is 1 less the cosine of the angle between "
      "them: 0 is the same direction, 1 has nothing in common.",
      "Das {} imagens de treino em <code>{}</code>, as que têm as características mais próximas: os {} "
      "números "
      "depois de <code>{}</code>, de que se faz a resposta. A distância é 1 menos o cosseno do ângulo entre "
      "elas: "
      "0 é a mesma direção, 1 não tem nada em comum.");
  const char* near_other_pictures =
      say("<strong>These may not be the pictures that the model learnt from</strong>: no run says so, or the "
          "folder "
          "has changed since.",
          "<strong>Podem não ser as imagens com que o modelo aprendeu</strong>: nenhum treino o diz, ou a "
          "pasta mudou "
          "entretanto.");
  const char* near_cut = say(" Shown are the first {} of {} pictures; the command told of all.",
                             " Mostram-se as primeiras {} de {} imagens; o comando disse de todas.");
  const char* near_asked = say("the picture asked about", "a imagem em questão");
  const char* near_agreeing = say("{} of the {} nearest have the label that is the answer.",
                                  "{} das {} mais próximas têm a etiqueta que é a resposta.");
  const char* near_distance = say("distance {}", "distância {}");
  const char* near_agrees = say("{}, agrees", "{}, concorda");
  const char* near_disagrees = say("{}, does not agree", "{}, não concorda");
  const char* near_same = say("{}, the same picture", "{}, a mesma imagem");
  const char* no_label = say("no label", "sem etiqueta");
  const char* near_leak = say(
      "<strong>This very picture is among the training pictures</strong>: the network was shown it with its "
      "label, and what it says of it tests nothing.",
      "<strong>Esta mesma imagem está entre as de treino</strong>: a rede viu-a com a etiqueta, e o que diz "
      "dela "
      "não põe nada à prova.");
  const char* map_heading = say("Map of the pictures", "Mapa das imagens");
  const char* map_caption =
      say("Each point is one of the pictures in <code>{}</code> ({}), coloured by its label. Pictures that "
          "lie near "
          "each other have like features, the {} numbers after <code>{}</code> that the answer is made of.",
          "Cada ponto é uma das imagens em <code>{}</code> ({}), com a cor da etiqueta. Imagens próximas têm "
          "características parecidas, os {} números depois de <code>{}</code> de que se faz a resposta.");
  const char* map_all = say("all", "todas");
  const char* map_sampled = say(" Shown are {} of {}, drawn by lot, each class in its part.",
                                " Mostram-se {} de {}, tiradas à sorte, cada classe na sua parte.");
  const char* map_deceives =
      say("<strong>A flat map deceives.</strong> It has two axes in place of {}: what lies together here can "
          "be far "
          "apart, and how large groups are and how far from each other says little. How much each map keeps "
          "stands "
          "below it.",
          "<strong>Um mapa plano engana.</strong> Tem dois eixos em lugar de {}: o que aqui está junto pode "
          "estar "
          "longe, e o tamanho dos grupos e a distância entre eles dizem pouco. O que cada mapa guarda vem "
          "por baixo.");
  const char* map_use =
      say(" Point at a picture, or go there with the arrow keys, to see it, with lines to those that are "
          "nearest by all "
          "of its features; a click keeps it. A click on a name hides its points.",
          " Aponte para uma imagem, ou vá até lá com as setas, para a ver, com linhas até às mais próximas "
          "por todas as "
          "suas características; um clique mantém-na. Um clique num nome esconde os seus pontos.");
  const char* map_other_classes =
      say("The classes of these pictures are not the model's: its answers cannot be right or wrong.",
          "As classes destas imagens não são as do modelo: as respostas não podem estar certas nem erradas.");
  const char* map_components = say("Two principal components", "Duas componentes principais");
  const char* map_axis = say("component {}: {} of the variance", "componente {}: {} da variância");
  const char* map_explained =
      say("The two axes keep {} of the variance. ", "Os dois eixos guardam {} da variância. ");
  const char* map_kept =
      say("Of each picture's {} nearest by all features, {} are among its {} nearest here; by chance it "
          "would be {}.",
          "Das {} mais próximas de cada imagem por todas as características, {} estão aqui entre as {} mais "
          "próximas; "
          "por acaso seriam {}.");
  const char* map_umap = say("UMAP", "UMAP");
  const char* map_umap_note =
      say(" It knows who is near whom and nothing else: its axes and its scale mean nothing.",
          " Só sabe quem está perto de quem: os eixos e a escala não querem dizer nada.");
  const char* map_working =
      say("Your browser is working it out: {} %", "O seu navegador está a calculá-lo: {} %");
  const char* map_failed =
      say("Your browser could not work it out: {}", "O seu navegador não conseguiu calculá-lo: {}");
  const char* map_legend = say("Classes", "Classes");
  const char* map_wrong = say("ringed: taken for another class", "com anel: tomadas por outra classe");
  const char* map_other = say("{} other classes", "{} outras classes");
  const char* map_label = say("label: {}", "etiqueta: {}");
  const char* map_answer = say("answer: {}, {}", "resposta: {}, {}");
  const char* map_nearest = say("Nearest by all features, with distances",
                                "As mais próximas por todas as "
                                "características, com as distâncias");

 private:
  static constexpr int count_values(std::string_view pattern) {
    int count = 0;
    for (std::size_t at = pattern.find("{}"); at != std::string_view::npos; at = pattern.find("{}", at + 2))
      ++count;
    return count;
  }
  /// Two sentences with as many values: others do not compile.
  constexpr const char* say(const char* in_english, const char* in_portuguese) const {
    if (count_values(in_english) != count_values(in_portuguese)) throw "as many values in both languages";
    return spoken == Language::english ? in_english : in_portuguese;
  }
};
inline constexpr Texts english{Language::english}, portuguese{Language::portuguese};

}  // namespace enxerto
