//! Words of names and titles: split, transliterated, and brought to a common tongue.
//!
//! Knows no schema. The dictionary holds what every CRM speaks of; it names no system and no customer.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Words that mean the same, the common one first. Every word stands as [`plain`] writes it.
const SAME: &[&[&str]] = &[
    // Objects.
    &[
        "company",
        "account",
        "organisation",
        "organization",
        "firma",
        "unternehmen",
        "kompaniya",
        "empresa",
        "societe",
    ],
    &["contact", "person", "people", "kontakt", "contacto", "kontaktperson", "ansprechpartner"],
    &["lead", "deal", "opportunity", "sdelka", "geschaft", "negocio", "lid", "auftrag"],
    &["product", "tovar", "produkt", "producto", "artikel", "item", "good"],
    &[
        "note",
        "comment",
        "remark",
        "kommentariy",
        "kommentar",
        "notiz",
        "bemerkung",
        "zametka",
        "nota",
        "comentario",
    ],
    &["activity", "delo", "aktivitat", "actividad", "event", "sobytie"],
    &["quote", "estimate", "predlozhenie", "angebot", "presupuesto", "oferta"],
    &["task", "zadacha", "aufgabe", "tarea", "todo"],
    // Fields.
    &[
        "name",
        "title",
        "label",
        "nazvanie",
        "naimenovanie",
        "zagolovok",
        "subject",
        "betreff",
        "bezeichnung",
        "titel",
        "nombre",
        "titulo",
        "tema",
        "asunto",
    ],
    &["given", "first", "imya", "vorname"],
    &["family", "last", "surname", "familiya", "nachname", "apellido"],
    &[
        "owner",
        "assigned",
        "assignee",
        "responsible",
        "manager",
        "otvetstvennyy",
        "menedzher",
        "vladelets",
        "zustandig",
        "verantwortlich",
        "betreuer",
        "inhaber",
        "besitzer",
        "responsable",
        "propietario",
    ],
    &["author", "creator", "avtor", "autor", "verfasser", "ersteller"],
    &[
        "description",
        "opisanie",
        "beschreibung",
        "descripcion",
        "detail",
        "text",
        "body",
        "message",
        "content",
        "soderzhanie",
        "inhalt",
        "contenido",
    ],
    &["phone", "telefon", "telephone", "tel", "telefono"],
    &["email", "mail", "pochta", "correo"],
    &["url", "web", "site", "website", "sayt", "webseite", "homepage", "sitio"],
    &["messenger", "im", "chat", "messendzher"],
    &["address", "adres", "adresse", "anschrift", "direccion"],
    &["city", "gorod", "stadt", "ort", "ciudad"],
    &["country", "strana", "land", "pais"],
    &["region", "oblast", "province", "bundesland", "provincia", "state"],
    &["postcode", "postal", "zip", "indeks", "plz"],
    &["location", "place", "mesto", "lugar", "ubicacion"],
    &["stage", "status", "stadiya", "statusa", "phase", "etap", "etapa", "fase", "estado"],
    &["value", "amount", "opportunity", "summa", "betrag", "wert", "importe", "sum", "monto", "stoimost"],
    &["price", "tsena", "preis", "precio", "cost", "expensive", "dorogo", "teuer", "caro"],
    &["quantity", "kolichestvo", "menge", "anzahl", "cantidad"],
    &["revenue", "turnover", "oborot", "vyruchka", "umsatz", "ingresos"],
    &["budget", "byudzhet", "presupuesto"],
    &["currency", "valyuta", "wahrung", "moneda", "market", "rynok", "markt", "mercado"],
    &["source", "istochnik", "quelle", "herkunft", "fuente", "origen"],
    &["industry", "otrasl", "sfera", "branche", "industria", "sector"],
    &["type", "tip", "typ", "art", "tipo", "kind", "vid"],
    &["start", "begin", "begindate", "nachalo", "beginn", "inicio"],
    &[
        "end",
        "due",
        "close",
        "closedate",
        "finish",
        "deadline",
        "srok",
        "konets",
        "ende",
        "fin",
        "fallig",
        "vencimiento",
    ],
    &["confidence", "probability", "veroyatnost", "wahrscheinlichkeit", "probabilidad"],
    &["priority", "prioritet", "prioritat", "prioridad"],
    &["date", "data", "datum", "fecha"],
    &[
        "birthday",
        "birthdate",
        "birth",
        "rozhdenie",
        "geburtstag",
        "geburtsdatum",
        "nacimiento",
        "cumpleanos",
    ],
    &["sku", "code", "artikul", "artikelnummer", "codigo"],
    &["parent", "entity", "golovnaya", "mutter"],
    &["post", "position", "job", "dolzhnost", "funktion", "puesto", "cargo"],
    &["employees", "sotrudniki", "mitarbeiter", "empleados", "size", "headcount"],
    &["participant", "binding", "attendee", "uchastnik", "teilnehmer", "participante"],
    &["tag", "tags", "metka", "teg", "etiqueta", "schlagwort"],
    &["reason", "prichina", "grund", "motivo"],
    &["language", "yazyk", "sprache", "idioma"],
    &["salutation", "honorific", "obrashchenie", "anrede", "tratamiento"],
    // How things stand.
    &[
        "new",
        "novaya",
        "novyy",
        "novoe",
        "neu",
        "nueva",
        "nuevo",
        "enquiry",
        "inquiry",
        "request",
        "incoming",
        "anfrage",
        "zapros",
        "zayavka",
        "solicitud",
    ],
    &["qualify", "qualification", "kvalifikatsiya", "qualifizierung", "calificacion"],
    &[
        "proposal",
        "offer",
        "preparation",
        "predlozhenie",
        "podgotovka",
        "angebot",
        "vorbereitung",
        "propuesta",
        "oferta",
        "kp",
    ],
    &["negotiation", "peregovory", "verhandlung", "negociacion"],
    &["contract", "signing", "agreement", "dogovor", "podpisanie", "vertrag", "contrato", "firma"],
    &["invoice", "payment", "prepayment", "schet", "oplata", "rechnung", "zahlung", "factura", "pago"],
    &[
        "progress",
        "executing",
        "execution",
        "processing",
        "rabota",
        "rabote",
        "arbeit",
        "bearbeitung",
        "umsetzung",
        "trabajo",
        "progreso",
    ],
    &[
        "hold",
        "pause",
        "paused",
        "waiting",
        "pauza",
        "pauze",
        "ozhidanie",
        "zhdet",
        "pausiert",
        "wartet",
        "espera",
    ],
    &[
        "won",
        "signed",
        "success",
        "completed",
        "done",
        "uspeh",
        "uspeshno",
        "gotovo",
        "zavershena",
        "gewonnen",
        "erfolg",
        "erledigt",
        "ganado",
        "exito",
    ],
    &[
        "lost",
        "lose",
        "fail",
        "failed",
        "failure",
        "proval",
        "otkaz",
        "verloren",
        "perdido",
        "refused",
        "refusal",
        "rejected",
        "abgelehnt",
        "rechazado",
        "junk",
    ],
    &[
        "cancelled",
        "canceled",
        "otmena",
        "otmeneno",
        "otmenena",
        "storniert",
        "abgebrochen",
        "abgesagt",
        "cancelado",
    ],
    // Values of lists.
    &["competitor", "konkurent", "wettbewerber", "konkurrent", "competidor"],
    &["customer", "client", "klient", "kunde", "cliente"],
    &["vendor", "supplier", "postavshchik", "lieferant", "proveedor"],
    &["partner", "socio"],
    &[
        "other",
        "drugoe",
        "drugoy",
        "inoe",
        "prochee",
        "sonstige",
        "sonstiges",
        "otro",
        "andere",
        "miscellaneous",
    ],
    &["existing", "sushchestvuyushchiy", "bestehend", "existente"],
    &["repeat", "repeated", "returning", "return", "povtornyy", "wiederkehrend", "recurrente"],
    &["call", "zvonok", "anruf", "llamada", "phone", "telefonat"],
    &["meeting", "vstrecha", "besprechung", "termin", "reunion"],
    &["form", "forma", "formular", "formulario"],
    &["advertising", "reklama", "werbung", "publicidad", "ad"],
    &["referral", "recommendation", "rekomendatsiya", "empfehlung", "recomendacion"],
    &["exhibition", "trade", "show", "vystavka", "messe", "feria", "fair"],
    &["sale", "prodazha", "verkauf", "vertrieb", "venta"],
    &[
        "service",
        "servis",
        "obsluzhivanie",
        "usluga",
        "dienst",
        "dienstleistung",
        "servicio",
        "maintenance",
        "wartung",
    ],
    &["training", "education", "obuchenie", "obrazovanie", "schulung", "bildung", "formacion", "educacion"],
    &["technology", "it", "tehnologiya", "technologie", "tecnologia", "software"],
    &["telecommunications", "telecom", "telekommunikatsii", "telekommunikation", "telecomunicaciones"],
    &["manufacturing", "production", "proizvodstvo", "produktion", "fertigung", "herstellung", "fabricacion"],
    &["banking", "bank", "bankovskie", "banca"],
    &["consulting", "konsalting", "beratung", "consultoria"],
    &["finance", "finansy", "finanzen", "finanzas"],
    &["insurance", "strahovanie", "versicherung", "seguros"],
    &["construction", "stroitelstvo", "bau", "construccion"],
    &["retail", "roznitsa", "einzelhandel", "minorista"],
    &["wholesale", "grosshandel", "mayorista"],
    &["healthcare", "health", "meditsina", "zdravoohranenie", "gesundheit", "medizin", "salud"],
    &["agriculture", "landwirtschaft", "agricultura"],
    &["government", "pravitelstvo", "gosudarstvo", "regierung", "behorde", "gobierno", "public"],
    &[
        "transportation",
        "transport",
        "delivery",
        "dostavka",
        "logistics",
        "logistika",
        "lieferung",
        "logistik",
        "transporte",
    ],
    &["entertainment", "razvlechenie", "unterhaltung", "entretenimiento"],
    &["nonprofit", "notprofit", "profit", "pribyl", "gemeinnutzig"],
    &["russian", "russkiy", "russisch", "ruso"],
    &["english", "angliyskiy", "englisch", "ingles"],
    &["german", "nemetskiy", "deutsch", "aleman"],
    &["spanish", "ispanskiy", "spanisch", "espanol"],
    &["french", "frantsuzskiy", "franzosisch", "frances"],
    &["chinese", "kitayskiy", "chinesisch", "chino", "中文"],
    &["mobile", "mobilnyy", "mobil", "handy", "movil", "cell"],
    &["fax", "faks"],
    &["home", "private", "domashniy", "privat", "casa"],
    &["work", "business", "rabochiy", "geschaftlich", "dienstlich"],
    &["urgent", "srochno", "dringend", "urgente"],
    &["yes", "da", "ja", "si"],
    &["no", "net", "nein"],
    &["usd", "dollar", "states"],
    &["eur", "euro", "europe", "eurozone"],
    &["rub", "ruble", "rubl", "russia", "rossiya"],
    &["gbp", "pound", "kingdom", "britain"],
    &["chf", "franc", "switzerland", "schweiz"],
];

/// Meanings that are near without being the same, and how near.
const RELATED: &[(&str, &str, f64)] = &[
    ("note", "description", 0.75),
    ("due", "deadline", 0.9),
    ("cancelled", "lost", 0.6),
    ("existing", "repeat", 0.6),
    ("progress", "contract", 0.3),
];

/// Endings that change no meaning, in the tongues of the dictionary.
const ENDINGS: &[&str] = &[
    "yami", "iya", "iyu", "iyah", "iyam", "ogo", "oye", "aya", "oe", "ye", "yy", "iy", "oy", "ey", "ykh",
    "yh", "ih", "ov", "ev", "am", "ah", "om", "em", "ies", "es", "en", "er", "ern", "ii", "ie", "ya", "yu",
    "a", "e", "i", "o", "u", "y", "n", "s",
];

/// Words that say nothing of what a field is about.
const EMPTY: &[&str] = &[
    "id", "ids", "uf", "crm", "of", "the", "by", "is", "and", "a", "an", "to", "for", "no", "der", "die",
    "das", "und", "de", "la", "el", "los", "y", "na", "v", "po", "i", "dlya", "ne", "field",
];

/// Words that say little, beside others.
const LITTLE: &[&str] = &["time", "date", "data", "datum", "fecha", "vremya", "number", "nomer", "info"];

/// A name or a title, as a set of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// As written, transliterated, in lower case.
    said: Vec<String>,
    /// What they mean, where the dictionary knows it.
    meant: BTreeSet<&'static str>,
}

impl Words {
    /// Splits a name (`closedTime`, `DATE_CREATE`) or a title in any script.
    pub fn new(text: &str) -> Words {
        let mut said: Vec<String> = Vec::new();
        let mut word = String::new();
        let mut before = ' ';
        for c in text.chars() {
            let next = before.is_lowercase() && c.is_uppercase();
            if (next || !c.is_alphanumeric() && !is_combining_mark(c)) && !word.is_empty() {
                said.push(plain(&std::mem::take(&mut word)));
            }
            if c.is_alphanumeric() || is_combining_mark(c) {
                word.push(c);
            }
            before = c;
        }
        if !word.is_empty() {
            said.push(plain(&word));
        }
        let telling: Vec<String> = said
            .iter()
            .filter(|word| !EMPTY.contains(&word.as_str()) && !word.chars().all(|c| c.is_ascii_digit()))
            .cloned()
            .collect();
        if !telling.is_empty() {
            said = telling;
        }
        let meant = said.iter().flat_map(|word| meanings(word)).copied().collect();
        Words { said, meant }
    }

    /// Whether one of the words means this, a first word of the dictionary.
    pub fn mean(&self, word: &str) -> bool {
        self.meant.contains(word) || self.said.iter().any(|said| said == word)
    }

    /// Whether one of the words is this, as it is written.
    pub fn says(&self, word: &str) -> bool {
        self.said.iter().any(|said| said == word)
    }

    /// Whether every word has a partner in the other that means the same.
    pub fn within(&self, other: &Words) -> bool {
        let partner = |word: &String| other.said.iter().any(|next| near(word, next) >= 0.9);
        !self.said.is_empty() && self.said.iter().all(partner)
    }

    /// The words as the dictionary's first ones, where it knows them all.
    pub fn common(&self) -> Option<String> {
        let words: Option<Vec<&str>> = self.said.iter().map(|word| meanings(word).first().copied()).collect();
        words.filter(|words| !words.is_empty()).map(|words| words.join(" "))
    }

    /// Whether nothing but this is said.
    pub fn only(&self, word: &str) -> bool {
        !self.said.is_empty() && self.said.iter().all(|said| said == word || meanings(said).contains(&word))
    }

    /// Whether nothing but this is said, or one of these words.
    pub fn only_or(&self, word: &str, others: &[&str]) -> bool {
        let means = |said: &String| said == word || meanings(said).contains(&word);
        !self.said.is_empty() && self.said.iter().all(|said| others.contains(&said.as_str()) || means(said))
    }

    /// How alike two names are, from 0 to 1: the share of the words of both that have a partner in the other. A word
    /// is as good a partner as its spelling or its meaning is near.
    pub fn alike(&self, other: &Words) -> f64 {
        if self.said.is_empty() || other.said.is_empty() {
            return 0.0;
        }
        let one = |from: &[String], to: &[String]| -> f64 {
            from.iter()
                .map(|word| weight(word) * to.iter().map(|next| near(word, next)).fold(0.0, f64::max))
                .sum()
        };
        let both = one(&self.said, &other.said) + one(&other.said, &self.said);
        both / self.said.iter().chain(&other.said).map(|word| weight(word)).sum::<f64>()
    }
}

/// How much a word tells: that something is a time or a number says little of what it is.
fn weight(word: &str) -> f64 {
    if LITTLE.contains(&word) { 0.25 } else { 1.0 }
}

/// How near two words are: 1 for the same word, less for the same meaning, for one stem, for near meanings, and else what
/// is left of their spelling.
fn near(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let (mine, others) = (meanings(a), meanings(b));
    if mine.iter().any(|word| others.contains(word)) {
        return 0.95;
    }
    if let (Some(a), Some(b)) = (stem(a), stem(b))
        && a == b
    {
        return 0.9;
    }
    let related = RELATED.iter().filter(|(one, other, _)| {
        mine.contains(one) && others.contains(other) || mine.contains(other) && others.contains(one)
    });
    let related = related.map(|(_, _, near)| *near).fold(0.0, f64::max);
    let spelling = strsim::jaro_winkler(a, b);
    // Below this, words share their beginning by chance.
    let spelling = if spelling < 0.85 { 0.0 } else { (spelling - 0.85) / 0.15 * 0.8 };
    related.max(spelling)
}

/// A word without its ending, where enough is left to be known by.
fn stem(word: &str) -> Option<&str> {
    let cut = ENDINGS.iter().filter_map(|ending| word.strip_suffix(ending));
    let cut = cut.filter(|rest| rest.chars().count() >= 4).min_by_key(|rest| rest.len());
    cut.or_else(|| (word.chars().count() >= 4).then_some(word))
}

type Groups = HashMap<&'static str, Vec<&'static str>>;

/// The dictionary by word, and by stem.
static KNOWN: LazyLock<(Groups, Groups)> = LazyLock::new(|| {
    let (mut words, mut stems) = (Groups::new(), Groups::new());
    for group in SAME {
        let Some(first) = group.first() else { continue };
        for word in *group {
            words.entry(word).or_default().push(first);
            if let Some(stem) = stem(word) {
                stems.entry(stem).or_default().push(first);
            }
        }
    }
    (words, stems)
});

/// What a word means, by the first words of the dictionary's groups; nothing for words that it does not know.
fn meanings(word: &str) -> &'static [&'static str] {
    let (words, stems) = &*KNOWN;
    let found = words.get(word).or_else(|| stems.get(stem(word)?));
    found.map_or(&[], Vec::as_slice)
}

/// Lower case, without accents, in Latin letters where the script is Cyrillic.
pub fn plain(text: &str) -> String {
    let lower: String = text.to_lowercase();
    let mut out = String::with_capacity(lower.len());
    for c in lower.chars() {
        match latin(c) {
            Some(latin) => out.push_str(latin),
            None => out.extend(c.nfd().filter(|c| !is_combining_mark(*c))),
        }
    }
    out
}

fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' | 'є' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' | 'ы' | 'ї' => "y",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "h",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ю' => "yu",
        'я' => "ya",
        'ß' => "ss",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(a: &str, b: &str) -> f64 {
        Words::new(a).alike(&Words::new(b))
    }

    #[test]
    fn names_are_split_where_their_writers_split_them() {
        assert_eq!(Words::new("closedTime").said, ["closed", "time"]);
        assert_eq!(Words::new("DATE_CREATE").said, ["date", "create"]);
        assert_eq!(Words::new("UF_CRM_1690000003").said, ["uf", "crm", "1690000003"].map(str::to_owned));
        assert_eq!(Words::new("Тип здания").said, ["tip", "zdaniya"]);
    }

    #[test]
    fn titles_meet_across_languages_and_strangers_do_not() {
        assert!(alike("Телефон", "phone") > 0.9);
        assert!(alike("Währung", "CURRENCY_ID") > 0.9);
        assert!(alike("Unternehmen", "Account") > 0.9);
        assert!(alike("Источник", "sources") > 0.9);
        assert!(alike("Клиенты", "Customer") > 0.9, "endings change no meaning");
        assert!(alike("По рекомендации", "Referral") > 0.6);
        assert!(alike("accounts", "COMPANY_ID") > 0.9);
        assert!(alike("COMMENTS", "description") > 0.7, "near, though not the same");
        assert!(alike("Drucker", "phone") < 0.2);
        assert_eq!(alike("", "phone"), 0.0);
    }

    proptest::proptest! {
        #[test]
        fn likeness_is_symmetric_and_bounded(a in "\\PC{0,20}", b in "\\PC{0,20}") {
            let (one, other) = (alike(&a, &b), alike(&b, &a));
            proptest::prop_assert!((one - other).abs() < 1e-9);
            proptest::prop_assert!((0.0..=1.0 + 1e-9).contains(&one));
        }
    }
}
