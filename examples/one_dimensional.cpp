// One-dimensional convolutions: on signals, where they shine; on text; and on a table, where they have no
// business.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <fstream>
#include <numbers>
#include <optional>
#include <string_view>

#include "enxerto/core/mcnemar.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/batch.h"
#include "enxerto/graph/executor.h"
#include "enxerto/heads/logistic.h"
#include "enxerto/train/loss.h"
#include "enxerto/train/optimizer.h"
#include "examples/lab.h"

namespace enxerto::lab {
namespace {

/// Rows {n, c, 1, w} and their classes.
struct Examples {
  Tensor x;
  std::vector<std::int32_t> labels;

  Examples(std::int64_t count, std::int64_t channels, std::int64_t width)
      : x({.n = count, .c = channels, .w = width}), labels(static_cast<std::size_t>(count)) {}
  std::span<float> row(std::size_t i) {
    const std::size_t size = x.data().size() / labels.size();
    return x.data().subspan(i * size, size);
  }
  std::span<const float> row(std::size_t i) const {
    const std::size_t size = x.data().size() / labels.size();
    return x.data().subspan(i * size, size);
  }
};

using Answers = std::vector<std::int32_t>;

std::int64_t right(const Answers& answers, const Answers& truth) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) count += answers[i] == truth[i];
  return count;
}
/// The share of `answers` that are those of `truth`, or of another model.
double share_equal(const Answers& answers, const Answers& truth) {
  return static_cast<double>(right(answers, truth)) / static_cast<double>(answers.size());
}
/// How often two that are equally good would differ this much on the same questions (McNemar's test).
double chance(const Answers& a, const Answers& b, const Answers& truth) {
  std::int64_t only_a = 0, only_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    only_a += a[i] == truth[i] && b[i] != truth[i];
    only_b += b[i] == truth[i] && a[i] != truth[i];
  }
  return mcnemar(only_a, only_b);
}
/// "p = 0.03", or "p < 0.0001".
std::string p_of(const Lab& lab, double p) {
  return p < 1e-4 ? "p < " + lab.number(1e-4, 4) : "p = " + lab.number(p, p < 0.01 ? 4 : 2);
}

/// The linear rival: logistic regression on all numbers of a row.
LinearHead linear_model(const Examples& shown, int classes) {
  const ConstView rows{{.n = shown.x.shape().n, .c = std::ssize(shown.row(0))}, shown.x.data()};
  return fit_logistic({.x = rows, .y = shown.labels, .classes = classes, .weights = {}}, LogisticConfig{})
      .head;
}
Answers answers_of(const LinearHead& head, const Examples& asked) {
  return head.predictions({{.n = asked.x.shape().n, .c = std::ssize(asked.row(0))}, asked.x.data()});
}

Answers answers_of(const Graph& net, const Examples& asked) {
  const Tensor outputs = answer(net, asked.x.view());
  const auto classes = static_cast<std::size_t>(outputs.shape().c);
  Answers made;
  for (std::size_t i = 0; i < asked.labels.size(); ++i) {
    const auto row = outputs.data().subspan(i * classes, classes);
    made.push_back(static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin()));
  }
  return made;
}

/// Shows the rows to the network, in a new order in each epoch; batches of 32, Adam.
void fit_network(Graph& net, const Examples& shown, int epochs, double rate) {
  constexpr int batch = 32;
  net.init({}, Rng(1));
  Executor executor(net, {.batch = batch, .train = true, .seed = 1});
  const auto optimizer = make_optimizer(Adam{}, executor.updates());
  Shape shape = shown.x.shape();
  shape.n = batch;
  Tensor rows(shape), gradient({.n = batch, .c = net.output_shape().c});
  std::int64_t step = 0;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const std::vector<std::int64_t> order = epoch_order(std::ssize(shown.labels), 1, epoch);
    for (std::size_t first = 0; first + batch <= order.size(); first += batch) {
      std::vector<std::int32_t> labels;
      auto to = rows.data().begin();
      for (std::size_t k = 0; k < batch; ++k) {
        const auto i = static_cast<std::size_t>(order[first + k]);
        to = std::ranges::copy(shown.row(i), to).out;
        labels.push_back(shown.labels[i]);
      }
      cross_entropy({}, executor.forward(rows.view(), step++), labels, gradient.view());
      executor.backward(gradient.view());
      optimizer->step(executor.updates(), rate);
    }
  }
  executor.store(net);
}

/// Appends layers one after the other.
class Layers {
 public:
  explicit Layers(Graph& net) : net_(net) {}
  Layers& then(const char* name, AnyLayer layer) {
    net_.add(name, std::move(layer), {net_.last()});
    return *this;
  }

 private:
  Graph& net_;
};

/// A convolution along a row: kernel {1, k}, as many places out as in.
Conv2d along(int filters, int kernel) {
  return {.out = filters, .kernel = {1, kernel}, .pad = {0, kernel / 2, 0, kernel / 2}};
}

// ---- signals ---------------------------------------------------------------------------------------------

constexpr int samples = 64, periods = 4;

/// Sine, square or saw, `turn` of a period late, with noise.
double signal_at(std::int32_t kind, double place, double turn) {
  const double phase = place * periods / samples - turn, part = phase - std::floor(phase);
  if (kind == 0) return std::sqrt(2.0) * std::sin(2 * std::numbers::pi * part);
  if (kind == 1) return part < 0.5 ? 1 : -1;
  return std::sqrt(3.0) * (2 * part - 1);
}

/// Every third a sine, a square, a saw; all `turn` of a period late, or without it each by an amount of its
/// own.
Examples signals(std::int64_t count, std::optional<double> turn, std::uint64_t seed) {
  Examples made(count, 1, samples);
  for (std::size_t i = 0; i < made.labels.size(); ++i) {
    Rng rng = Rng(seed).child(i);
    made.labels[i] = static_cast<std::int32_t>(i % 3);
    const double late = turn ? *turn : double{rng.uniform()};
    double place = 0;
    for (float& sample : made.row(i))
      sample = static_cast<float>(signal_at(made.labels[i], place++, late) + 0.5 * rng.normal());
  }
  return made;
}

Graph signal_network() {
  Graph net;
  net.input({.w = samples});
  Layers(net)
      .then("conv1", along(8, 9))
      .then("relu1", Activate{})
      .then("pool1", MaxPool2d{.kernel = {1, 2}, .stride = {1, 2}})
      .then("conv2", along(16, 9))
      .then("relu2", Activate{})
      .then("mean", GlobalAvgPool{})
      .then("fc", Linear{.out = 3});
  return net;
}

/// Common words of each language, no word in both; accents are left out.
constexpr std::string_view portuguese =
    "casa tempo homem mulher cidade vida trabalho escola livro pessoa mundo noite manha porta janela mesa "
    "cadeira agua fogo terra vento chuva praia campo floresta montanha caminho estrada ponte barco peixe "
    "gato cavalo galinha ovelha vaca arvore folha flor fruta laranja maca uva queijo vinho leite manteiga "
    "acucar cozinha quarto jardim telhado parede chave sapato camisa chapeu vestido casaco dinheiro mercado "
    "loja compra venda viagem comboio aviao bicicleta carro rua bairro aldeia vizinho amigo irmao filho "
    "crianca avo primo familia nome palavra letra pergunta resposta historia musica danca festa jogo bola "
    "corrida vitoria medo alegria tristeza saudade esperanca verdade mentira coracao cabeca braco perna "
    "olho boca orelha nariz dente cabelo pele sangue doenca saude medico hospital farmacia professor aluno "
    "ensino exame estudo ciencia numero conta soma linha ponto quadrado redondo vermelho azul verde amarelo "
    "branco preto cinzento claro escuro grande pequeno alto baixo largo estreito novo velho jovem bonito "
    "feio forte fraco rapido lento quente frio doce amargo cheio vazio aberto fechado primeiro segundo "
    "terceiro ultimo muito pouco sempre nunca talvez agora depois antes ontem hoje amanha semana janeiro "
    "fevereiro segunda sexta domingo abrir fechar comer beber dormir acordar andar correr saltar nadar voar "
    "cantar ouvir falar dizer escrever ler pensar saber conhecer querer poder dever fazer trazer levar "
    "deixar ficar partir chegar entrar sair subir descer comprar vender pagar ganhar perder procurar "
    "encontrar esquecer lembrar comecar acabar nascer crescer viver morrer governo povo guerra paz lei "
    "direito justica liberdade igualdade mensagem carta jornal noticia fotografia imagem quadro pintura "
    "desenho cor";
constexpr std::string_view english =
    "house time man woman town life work school book people world night morning door window table chair "
    "water fire earth wind rain beach field forest mountain path road bridge ship fish dog horse chicken "
    "sheep cow tree leaf flower fruit orange apple grape cheese wine milk butter sugar kitchen bedroom "
    "garden roof wall key shoe shirt hat dress coat money market shop purchase sale journey train plane "
    "bicycle street neighbour village friend brother child daughter grandmother cousin name word letter "
    "question answer story music dance party game ball race victory fear joy sadness longing hope truth lie "
    "heart head arm leg eye mouth ear nose tooth hair skin blood illness health doctor chemist teacher "
    "pupil teaching exam study science number count sum line point square round red blue green yellow white "
    "black grey bright dark large small tall short wide narrow new old young beautiful ugly strong weak "
    "quick slow warm cold sweet bitter full empty open closed first second third last much little always "
    "never perhaps now after before yesterday today tomorrow week january february monday friday sunday "
    "shut eat drink sleep wake walk run jump swim fly sing hear speak say write read think know want can "
    "must make bring carry leave stay depart arrive enter climb fall buy sell pay win lose seek find forget "
    "remember begin finish born grow live die government nation war peace law right justice freedom "
    "equality message newspaper photograph picture frame painting drawing colour thing other which through "
    "their though enough light height";

Series one_signal(const Text& name, std::int32_t kind, double height) {
  const Examples drawn = signals(3, 0.1, 4);
  Series made{name, {}, {}};
  for (const float sample : drawn.row(static_cast<std::size_t>(kind))) {
    made.x.push_back(static_cast<double>(made.x.size()));
    made.y.push_back(sample + height);
  }
  return made;
}

void show_signals(Lab& lab, int scale) {
  lab.section({"Signals", "Sinais"});
  lab.say({text("Three kinds of signal, ", samples,
                " samples long, with as much power each and noise on top: sine, square, saw. The network is "
                "two convolutions along time, {1, 9}, and the mean over time; its rival is logistic "
                "regression on the ",
                samples, " samples."),
           text("Três tipos de sinal, com ", samples,
                " amostras, a mesma potência e ruído por cima: seno, quadrada, dente de serra. A rede são "
                "duas convoluções ao longo do tempo, {1, 9}, e a média no tempo; o rival é a regressão "
                "logística sobre as ",
                samples, " amostras.")});
  lab.plot("signals", {"one signal of each kind", "um sinal de cada tipo"},
           {.title = {"One of each (moved apart)", "Um de cada (afastados)"},
            .x_name = {"time", "tempo"},
            .y_name = {"value", "valor"},
            .series = {one_signal({"sine", "seno"}, 0, 8), one_signal({"square", "quadrada"}, 1, 4),
                       one_signal({"saw", "dente de serra"}, 2, 0)},
            .commands = "set xrange [0:64]"});

  const Examples in_step = signals(600 * scale, 0, 1), anyhow = signals(600 * scale, {}, 2),
                 asked = signals(1500 * scale, {}, 3);
  Graph net = signal_network();
  fit_network(net, in_step, 15, 0.005);
  const LinearHead linear = linear_model(in_step, 3);
  Series of_net{{"network", "rede"}, {}, {}}, of_linear{{"linear model", "modelo linear"}, {}, {}};
  double net_mean = 0, linear_mean = 0, at_even = 0, at_odd = 0;
  constexpr int period = samples / periods;
  for (int late = 0; late <= period; ++late) {
    const Examples shifted = signals(600 * scale, static_cast<double>(late) / period, 5);
    for (Series* series : {&of_net, &of_linear}) series->x.push_back(late);
    of_net.y.push_back(100 * share_equal(answers_of(net, shifted), shifted.labels));
    of_linear.y.push_back(100 * share_equal(answers_of(linear, shifted), shifted.labels));
    if (late == period) continue;  // as at 0
    net_mean += of_net.y.back() / period;
    linear_mean += of_linear.y.back() / period;
    (late % 2 == 0 ? at_even : at_odd) += of_net.y.back() / (period / 2);
  }
  lab.say(
      {"First both learn from signals that all begin in step, and are asked about signals that come later.",
       "Primeiro, ambos aprendem com sinais que começam todos ao mesmo tempo, e perguntamos-lhes por sinais "
       "que chegam mais tarde."});
  lab.plot("late", {"right answers by how late the signal is", "respostas certas conforme o atraso do sinal"},
           {.title = {"Learned in step, asked later", "Aprendido a tempo, perguntado mais tarde"},
            .x_name = {"samples late (16: a whole period)", "amostras de atraso (16: um período)"},
            .y_name = {"% right", "% certas"},
            .series = {of_net, of_linear},
            .commands = "set yrange [0:105]"});
  lab.check({text("In step the linear model is right in ", lab.percent(of_linear.y[0] / 100),
                  "; over all delays in ", lab.percent(linear_mean / 100), ", the network in ",
                  lab.percent(net_mean / 100)),
             text("A tempo, o modelo linear acerta em ", lab.percent(of_linear.y[0] / 100),
                  "; em todos os atrasos, em ", lab.percent(linear_mean / 100), ", e a rede em ",
                  lab.percent(net_mean / 100))},
            of_linear.y[0] > 90 && net_mean > linear_mean + 20);
  lab.say(
      {"A filter that slides meets the same shape wherever it comes, and the mean forgets where it was. "
       "What is not quite the same are the borders of the row, and the pooling: with a stride of 2 it takes "
       "the samples in other pairs when the delay is odd, hence the zigzag (Zhang 2019, \"Making "
       "convolutional networks shift-invariant again\").",
       "Um filtro que desliza encontra a mesma forma onde quer que ela venha, e a média esquece onde foi. O "
       "que não fica bem igual são as margens da linha e o pooling: com stride 2, junta as amostras noutros "
       "pares quando o atraso é ímpar, e daí o ziguezague (Zhang 2019, \"Making convolutional networks "
       "shift-invariant again\")."});
  lab.check({text("Of even delays the network has ", lab.percent(at_even / 100), " right, of odd ones ",
                  lab.percent(at_odd / 100)),
             text("Nos atrasos pares, a rede acerta em ", lab.percent(at_even / 100), ", nos ímpares em ",
                  lab.percent(at_odd / 100))},
            at_even > at_odd);
  lab.say(
      {"The linear model has a weight for each moment and would have to see every delay. So let both learn "
       "from signals that come at any time:",
       "O modelo linear tem um peso para cada instante e teria de ver todos os atrasos. Que aprendam então "
       "ambos com sinais que chegam a qualquer altura:"});
  fit_network(net, anyhow, 15, 0.005);
  const Answers by_net = answers_of(net, asked), by_linear = answers_of(linear_model(anyhow, 3), asked);
  const double p = chance(by_net, by_linear, asked.labels);
  lab.check(
      {text("The network is right in ", lab.percent(share_equal(by_net, asked.labels)),
            ", the linear model in ", lab.percent(share_equal(by_linear, asked.labels)), " (", p_of(lab, p),
            "): at any time the mean of each kind is 0, and no weighted sum can tell them apart"),
       text("A rede acerta em ", lab.percent(share_equal(by_net, asked.labels)), ", o modelo linear em ",
            lab.percent(share_equal(by_linear, asked.labels)), " (", p_of(lab, p),
            "): em qualquer instante, a média de cada tipo é 0, e nenhuma soma pesada os distingue")},
      share_equal(by_net, asked.labels) > 0.9 && share_equal(by_linear, asked.labels) < 0.5 && p < 0.01);
}

// ---- text ------------------------------------------------------------------------------------------------

constexpr std::size_t symbols = 27;  ///< a to z, and the space
constexpr int word_width = 14, sentence_width = 42;

struct Word {
  std::string letters;
  std::int32_t language = 0;  ///< 0: Portuguese, 1: English
};
std::vector<Word> all_words() {
  std::vector<Word> made;
  for (const std::string& word : split(portuguese, ' ')) made.push_back({word, 0});
  for (const std::string& word : split(english, ' ')) made.push_back({word, 1});
  return made;
}

std::size_t symbol_of(char letter) {
  return letter == '_' ? symbols - 1 : static_cast<std::size_t>(letter - 'a');
}

/// The word between spaces, from that place on: a one in the row of each letter.
void write_word(const std::string& word, std::size_t place, std::size_t width, std::span<float> row) {
  for (const char letter : '_' + word + '_') row[symbol_of(letter) * width + place++] = 1;
}

/// {n, 27, 1, 14}
Examples one_hot(const std::vector<Word>& words) {
  Examples made(std::ssize(words), symbols, word_width);
  for (std::size_t i = 0; i < words.size(); ++i) {
    made.labels[i] = words[i].language;
    write_word(words[i].letters, 0, word_width, made.row(i));
  }
  return made;
}

/// {n, 26, 1, 1}: how often each letter occurs.
Examples letter_counts(const std::vector<Word>& words) {
  Examples made(std::ssize(words), symbols - 1, 1);
  for (std::size_t i = 0; i < words.size(); ++i) {
    made.labels[i] = words[i].language;
    for (const char letter : words[i].letters) made.row(i)[static_cast<std::size_t>(letter - 'a')] += 1;
  }
  return made;
}

/// Three words of one language, at random: {n, 27, 1, 42}.
Examples sentences(const std::vector<Word>& words, std::int64_t count, Rng rng) {
  Examples made(count, symbols, sentence_width);
  for (std::size_t i = 0; i < made.labels.size(); ++i) {
    made.labels[i] = static_cast<std::int32_t>(i % 2);
    std::size_t place = 0;
    for (int written = 0; written < 3;) {
      const Word& word = words[rng.below(words.size())];
      if (word.language != made.labels[i]) continue;
      write_word(word.letters, place, sentence_width, made.row(i));
      place += word.letters.size() + 1;
      ++written;
    }
  }
  return made;
}

/// Filters of three letters, and for each how well it fits anywhere.
Graph text_network(int width) {
  Graph net;
  net.input({.c = symbols, .w = width});
  Layers(net)
      .then("conv", along(32, 3))
      .then("relu", Activate{})
      .then("max", MaxPool2d{.kernel = {1, width}, .stride = {1, width}})
      .then("drop", Dropout{.p = 0.5f})
      .then("fc", Linear{.out = 2});
  return net;
}

/// The three letters among these words that a filter likes best, and what it then says for Portuguese.
struct Taste {
  std::string letters;
  double vote = 0;
};
std::vector<Taste> tastes(const Graph& net, const std::vector<Word>& words) {
  const std::span<const float> w = net.find_param("conv.weight")->value.data(),
                               bias = net.find_param("conv.bias")->value.data(),
                               vote = net.find_param("fc.weight")->value.data();
  std::vector<Taste> made;
  for (std::size_t filter = 0; filter < bias.size(); ++filter) {
    std::string liked;
    double best = 0;
    for (const Word& word : words) {
      const std::string spelled = '_' + word.letters + '_';
      for (std::size_t from = 0; from + 3 <= spelled.size(); ++from) {
        double fit = bias[filter];
        for (std::size_t k = 0; k < 3; ++k)
          fit += w[(filter * symbols + symbol_of(spelled[from + k])) * 3 + k];
        if (fit > best) best = fit, liked = spelled.substr(from, 3);
      }
    }
    made.push_back({liked, best * (double{vote[filter]} - vote[bias.size() + filter])});
  }
  std::ranges::sort(made, std::greater{}, &Taste::vote);
  return made;
}

/// What was answered on all words, each held back once, and on sentences of held-out words.
struct TextAnswers {
  Answers truth, net, positions, counts, sentence_truth, sentences;
};
void add(const Answers& from, Answers& to) { to.insert(to.end(), from.begin(), from.end()); }

/// Shows four fifths of the words and asks about the others, in turn. `net` is left as the last part taught
/// it.
void ask_in_five_parts(std::vector<Word> words, std::uint64_t seed, Graph& net, TextAnswers& all) {
  Rng rng(seed);
  shuffle(words, rng);
  for (std::size_t part = 0; part < 5; ++part) {
    std::vector<Word> shown, held_back;
    for (std::size_t i = 0; i < words.size(); ++i) (i % 5 == part ? held_back : shown).push_back(words[i]);
    const Examples learned = one_hot(shown), asked = one_hot(held_back);
    fit_network(net, learned, 30, 0.005);
    add(asked.labels, all.truth);
    add(answers_of(net, asked), all.net);
    add(answers_of(linear_model(learned, 2), asked), all.positions);
    add(answers_of(linear_model(letter_counts(shown), 2), letter_counts(held_back)), all.counts);
    Graph wide = text_network(sentence_width);
    wide.load_state(net.state(), "the network of single words");
    const Examples threes = sentences(held_back, 200, rng.child(part));
    add(threes.labels, all.sentence_truth);
    add(answers_of(wide, threes), all.sentences);
  }
}

/// The names of ImageNet's classes as text of one width: all English. {n, 27, 1, 42}; what is longer is cut.
Examples imagenet_names(const Lab& lab) {
  std::ifstream file(lab.data("reference/imagenet_classes.tsv"));
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) {
    std::string name = split(line, '\t').at(2).substr(0, sentence_width - 2);
    for (char& letter : name)
      letter = std::isalpha(static_cast<unsigned char>(letter))
                   ? static_cast<char>(std::tolower(static_cast<unsigned char>(letter)))
                   : '_';
    names.push_back(std::move(name));
  }
  Examples made(std::ssize(names), symbols, sentence_width);
  for (std::size_t i = 0; i < names.size(); ++i) {
    made.labels[i] = 1;
    write_word(names[i], 0, sentence_width, made.row(i));
  }
  return made;
}

/// `taken_for_english`: the share of Portuguese words held back that were.
void check_imagenet_names(Lab& lab, const Graph& net, double taken_for_english) {
  Graph wide = text_network(sentence_width);
  wide.load_state(net.state(), "the network of single words");
  const Examples names = imagenet_names(lab);
  const double english_share = share_equal(answers_of(wide, names), names.labels);
  lab.check(
      {text("Of the names of ImageNet's ", names.labels.size(), " classes it calls ",
            lab.percent(english_share),
            " English, though many are Latin or of breeds from elsewhere; of Portuguese words held back ",
            lab.percent(taken_for_english)),
       text("Dos nomes das ", names.labels.size(), " classes do ImageNet, chama ingleses a ",
            lab.percent(english_share),
            ", embora muitos sejam em latim ou de raças de outros sítios; das palavras portuguesas não "
            "vistas, a ",
            lab.percent(taken_for_english))},
      english_share > 0.7 && taken_for_english < 0.2);
}

void show_text(Lab& lab) {
  lab.section({"Text, letter by letter", "Texto, letra a letra"});
  const std::vector<Word> words = all_words();
  lab.say(
      {text("Is a word Portuguese or English? ", words.size(),
            " words, without accents, which would give it away. A letter is a channel: 27 rows of zeros "
            "with a one where the letter stands. Filters of three letters slide over the word, and of each "
            "only the best fit counts, wherever it was (max over time, Kim 2014). In turn a fifth of the "
            "words is held back and asked about. The rivals are linear: on the same zeros and ones, and on "
            "how often each letter occurs."),
       text("Uma palavra é portuguesa ou inglesa? ", words.size(),
            " palavras, sem acentos, que a denunciariam. Uma letra é um canal: 27 linhas de zeros com um 1 "
            "onde a letra está. Filtros de três letras deslizam sobre a palavra, e de cada um só conta o "
            "melhor encaixe, onde quer que seja (máximo no tempo, Kim 2014). À vez, um quinto das palavras "
            "fica de lado e é perguntado. Os rivais são lineares: sobre os mesmos zeros e uns, e sobre "
            "quantas vezes ocorre cada letra.")});
  TextAnswers all;
  Graph net = text_network(word_width);
  ask_in_five_parts(words, 5, net, all);
  const double by_net = share_equal(all.net, all.truth), by_positions = share_equal(all.positions, all.truth),
               by_counts = share_equal(all.counts, all.truth),
               of_sentences = share_equal(all.sentences, all.sentence_truth);
  const double p_positions = chance(all.net, all.positions, all.truth),
               p_counts = chance(all.net, all.counts, all.truth);
  lab.table({{"model", "modelo"}, {"held-out words right", "palavras não vistas certas"}, "p"},
            {{lab.in_language({"network", "rede"}), lab.percent(by_net), ""},
             {lab.in_language({"linear, letters at their places", "linear, letras nas suas posições"}),
              lab.percent(by_positions), p_of(lab, p_positions)},
             {lab.in_language({"linear, how often each letter", "linear, quantas vezes cada letra"}),
              lab.percent(by_counts), p_of(lab, p_counts)}});
  lab.check({"The network is better than both, word for word of the same held-out words",
             "A rede é melhor do que ambos, palavra a palavra, nas mesmas palavras não vistas"},
            by_net > by_positions && by_net > by_counts && p_positions < 0.01 && p_counts < 0.01);
  std::vector<std::vector<std::string>> rows;
  const std::vector<Taste> sorted = tastes(net, words);
  for (std::size_t i = 0; i < 6; ++i)
    rows.push_back({sorted[i].letters, sorted[sorted.size() - 1 - i].letters});
  lab.say({"What the filters like best (_ is a space):", "De que os filtros mais gostam (_ é um espaço):"});
  lab.table({{"for Portuguese", "pelo português"}, {"for English", "pelo inglês"}}, rows);
  lab.check(
      {text("Filters do not mind the length of a text: the same weights, on three held-out words in a row, "
            "are right in ",
            lab.percent(of_sentences), ", on one in ", lab.percent(by_net)),
       text("Aos filtros tanto faz o comprimento do texto: os mesmos pesos, em três palavras não vistas "
            "seguidas, acertam em ",
            lab.percent(of_sentences), ", e numa só em ", lab.percent(by_net))},
      of_sentences > by_net);
  if (!lab.real()) return;
  std::int64_t portuguese_words = 0, wrong = 0;
  for (std::size_t i = 0; i < all.truth.size(); ++i) {
    portuguese_words += all.truth[i] == 0;
    wrong += all.truth[i] == 0 && all.net[i] == 1;
  }
  check_imagenet_names(lab, net, static_cast<double>(wrong) / static_cast<double>(portuguese_words));
}

// ---- table -----------------------------------------------------------------------------------------------

constexpr std::size_t columns = 12;

/// A linear truth: the odds of class 1 are exp(w x), each column with a weight of its own.
Examples table_rows(std::int64_t count, std::uint64_t seed) {
  Examples made(count, 1, columns);
  Rng truth(6);
  std::array<double, columns> w{};
  for (double& weight : w) weight = truth.normal();
  for (std::size_t i = 0; i < made.labels.size(); ++i) {
    Rng rng = Rng(seed).child(i);
    double score = 0;
    for (std::size_t k = 0; k < columns; ++k) {
      made.row(i)[k] = rng.normal();
      score += w[k] * double{made.row(i)[k]};
    }
    made.labels[i] = rng.uniform() < 1 / (1 + std::exp(-score));
  }
  return made;
}

/// The same table with its columns in another order.
Examples reordered(const Examples& of) {
  std::vector<std::size_t> order(columns);
  for (std::size_t k = 0; k < columns; ++k) order[k] = k;
  Rng rng(7);
  shuffle(order, rng);
  Examples made(std::ssize(of.labels), 1, columns);
  made.labels = of.labels;
  for (std::size_t i = 0; i < of.labels.size(); ++i)
    for (std::size_t k = 0; k < columns; ++k) made.row(i)[k] = of.row(i)[order[k]];
  return made;
}

/// With `mean` as for signals: what is left does not know which column it came from.
Graph table_network(bool mean) {
  Graph net;
  net.input({.w = columns});
  Layers layers(net);
  layers.then("conv", along(16, 3)).then("relu", Activate{});
  if (mean)
    layers.then("mean", GlobalAvgPool{});
  else
    layers.then("flatten", Flatten{});
  layers.then("fc", Linear{.out = 2});
  return net;
}

void show_table(Lab& lab, int scale) {
  lab.section({"A table", "Uma tabela"});
  lab.say(
      {text("A table of ", columns,
            " columns, age or price or whatever; the truth is linear, with chance in it. That a column "
            "stands beside another means nothing, but a convolution takes neighbours for a shape."),
       text("Uma tabela de ", columns,
            " colunas, idade ou preço ou o que for; a verdade é linear, com acaso. Que uma coluna esteja ao "
            "lado de outra não quer dizer nada, mas uma convolução toma vizinhas por uma forma.")});
  const Examples shown = table_rows(300 * scale, 8), asked = table_rows(3000, 9);
  const Examples shown_again = reordered(shown), asked_again = reordered(asked);
  Graph net = table_network(false), mean_net = table_network(true);
  fit_network(mean_net, shown, 30, 0.005);
  fit_network(net, shown, 30, 0.005);
  const Answers by_net = answers_of(net, asked), by_mean = answers_of(mean_net, asked),
                by_linear = answers_of(linear_model(shown, 2), asked);
  fit_network(net, shown_again, 30, 0.005);
  const Answers net_again = answers_of(net, asked_again),
                linear_again = answers_of(linear_model(shown_again, 2), asked_again);
  const auto row = [&](const Text& name, const Answers& answers, const std::string& again) {
    return std::vector<std::string>{lab.in_language(name), lab.percent(share_equal(answers, asked.labels)),
                                    again};
  };
  lab.table(
      {{"model", "modelo"},
       {"new rows right", "linhas novas certas"},
       {"same answers, columns in another order", "mesmas respostas, colunas por outra ordem"}},
      {row({"linear", "linear"}, by_linear, lab.percent(share_equal(by_linear, linear_again))),
       row({"convolution, all places kept", "convolução, guardando as posições"}, by_net,
           lab.percent(share_equal(by_net, net_again))),
       row({"convolution and mean, as for signals", "convolução e média, como nos sinais"}, by_mean, "")});
  const double p = chance(by_linear, by_net, asked.labels);
  lab.check({text("The linear model is no worse than the network on the same ", asked.labels.size(),
                  " rows (", p_of(lab, p), ")"),
             text("O modelo linear não é pior do que a rede nas mesmas ", asked.labels.size(), " linhas (",
                  p_of(lab, p), ")")},
            right(by_linear, asked.labels) >= right(by_net, asked.labels) || p > 0.05);
  lab.check({"Another order of the columns changes the network's answers, and not the linear model's",
             "Outra ordem das colunas muda as respostas da rede, e não as do modelo linear"},
            share_equal(by_net, net_again) < 0.99 && share_equal(by_linear, linear_again) > 0.998);
  lab.check(
      {"With the mean, which helped with signals, the network does worst: it forgets which column it was",
       "Com a média, que ajudava nos sinais, a rede é a pior: esquece de que coluna se tratava"},
      right(by_mean, asked.labels) < right(by_net, asked.labels) &&
          right(by_mean, asked.labels) < right(by_linear, asked.labels));
}

int one_dimensional(int argc, char** argv) {
  Lab lab("one_dimensional", {"Convolutions along a line", "Convoluções ao longo de uma linha"},
          {"Are convolutions for pictures only? What do they make of a signal, a text, a table?",
           "As convoluções são só para imagens? Que fazem de um sinal, de um texto, de uma tabela?"},
          argc, argv);
  set_threads(1);  // networks so small are done before threads meet, and figures are the same anywhere
  lab.say(
      {"A row {c, 1, w} is a picture of height 1, and a kernel of {1, k} slides along it: a 1-D "
       "convolution. It assumes what is true of pictures: that neighbours belong together, and that the "
       "same shape means the same wherever it comes. Whether it helps depends on whether that is true.",
       "Uma linha {c, 1, w} é uma imagem de altura 1, e um kernel de {1, k} desliza sobre ela: uma "
       "convolução 1-D. Supõe o que é verdade nas imagens: que os vizinhos pertencem juntos, e que a mesma "
       "forma quer dizer o mesmo onde quer que apareça. Se ajuda, depende de isso ser verdade."});
  const int scale = lab.real() ? 10 : 1;
  if (lab.real())
    lab.say(
        {"Ten times as many signals and rows of the table, and the names of ImageNet's classes: a minute or "
         "a few.",
         "Dez vezes mais sinais e linhas da tabela, e os nomes das classes do ImageNet: um minuto ou "
         "poucos."});
  show_signals(lab, scale);
  show_text(lab);
  show_table(lab, scale);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::one_dimensional, argc, argv); }
