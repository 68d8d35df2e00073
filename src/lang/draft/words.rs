//! Words of names and titles: split, transliterated, and brought to a common tongue.
//!
//! Knows no schema. The dictionary holds what every CRM speaks of; it names no system and no customer.

use std::collections::BTreeSet;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Words that mean the same, the common one first. Every word stands as [`plain`] writes it.
const SAME: &[&[&str]] = &[
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
    &["contact", "person", "people", "kontakt", "contacto", "kontaktperson"],
    &["lead", "deal", "opportunity", "sdelka", "geschaft", "negocio", "lid", "auftrag"],
    &["product", "tovar", "produkt", "producto", "artikel", "item"],
    &[
        "note",
        "comment",
        "comments",
        "kommentariy",
        "kommentarii",
        "notiz",
        "bemerkung",
        "nota",
        "comentario",
    ],
    &["activity", "delo", "aktivitat", "actividad", "event"],
    &["quote", "estimate", "predlozhenie", "angebot", "presupuesto", "oferta"],
    &["name", "title", "nazvanie", "naimenovanie", "subject", "betreff", "titel", "nombre", "titulo", "tema"],
    &["given", "first", "imya", "vorname"],
    &["family", "last", "surname", "familiya", "nachname", "apellido"],
    &[
        "owner",
        "assigned",
        "responsible",
        "otvetstvennyy",
        "otvetstvennyi",
        "zustandig",
        "verantwortlich",
        "responsable",
    ],
    &["author", "creator", "avtor", "autor", "verfasser"],
    &["description", "opisanie", "beschreibung", "descripcion", "detail", "text", "body", "message"],
    &["phone", "telefon", "telephone", "tel", "telefono"],
    &["email", "mail", "pochta", "correo"],
    &["url", "web", "site", "website", "sayt", "webseite", "homepage", "sitio"],
    &["address", "adres", "adresse", "direccion"],
    &["city", "gorod", "stadt", "ort", "ciudad"],
    &["country", "strana", "land", "pais"],
    &["region", "oblast", "province", "bundesland", "provincia", "state"],
    &["postcode", "postal", "zip", "indeks", "plz"],
    &["stage", "status", "stadiya", "phase", "etapa", "fase"],
    &["value", "amount", "opportunity", "summa", "betrag", "wert", "importe", "sum", "monto"],
    &["price", "prices", "tsena", "preis", "precio", "cost"],
    &["quantity", "kolichestvo", "menge", "anzahl", "cantidad"],
    &["currency", "valyuta", "wahrung", "moneda", "market", "rynok", "markt", "mercado"],
    &["source", "sources", "istochnik", "quelle", "fuente", "origen"],
    &["industry", "otrasl", "sfera", "branche", "industria", "sector"],
    &["type", "tip", "typ", "art", "tipo", "kind", "vid"],
    &["start", "begin", "begindate", "nachalo", "beginn", "inicio"],
    &["end", "due", "close", "closedate", "finish", "deadline", "konets", "ende", "fin", "faellig"],
    &["confidence", "probability", "veroyatnost", "wahrscheinlichkeit", "probabilidad"],
    &["date", "data", "datum", "fecha"],
    &["sku", "code", "artikul", "artikelnummer", "codigo"],
    &["parent", "entity", "golovnaya", "mutter"],
    &["post", "position", "job", "dolzhnost", "funktion", "puesto"],
    &["employees", "sotrudniki", "mitarbeiter", "empleados", "size"],
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
        "incoming",
        "anfrage",
        "zapros",
        "obrashchenie",
    ],
    &["qualify", "qualification", "kvalifikatsiya", "qualifizierung"],
    &["proposal", "offer", "preparation", "podgotovka"],
    &["negotiation", "peregovory", "verhandlung", "negociacion"],
    &["contract", "signing", "dogovor", "vertrag", "contrato"],
    &["won", "signed", "success", "uspeh", "gewonnen", "ganado", "done"],
    &["lost", "lose", "fail", "failed", "proval", "otkaz", "verloren", "perdido", "refused", "refusal"],
    &["price", "tsena", "preis"],
    &["competitor", "konkurent", "wettbewerber", "competidor"],
    &["customer", "client", "klient", "kunde", "cliente"],
    &["vendor", "supplier", "postavshchik", "lieferant", "proveedor"],
    &["partner", "socio"],
    &["other", "drugoe", "inoe", "sonstige", "sonstiges", "otro", "andere"],
    &["call", "zvonok", "anruf", "llamada", "phone"],
    &["meeting", "vstrecha", "besprechung", "termin", "reunion"],
    &["task", "zadacha", "aufgabe", "tarea"],
    &["advertising", "reklama", "werbung", "publicidad", "ad"],
    &["referral", "recommendation", "rekomendatsiya", "empfehlung", "recomendacion"],
    &["exhibition", "trade", "show", "vystavka", "messe", "feria", "fair"],
    &["usd", "united states", "dollar"],
    &["eur", "europe", "euro", "germany", "austria", "spain", "france"],
    &["rub", "russia", "rossiya"],
    &["gbp", "kingdom", "britain"],
    &["chf", "switzerland", "schweiz"],
];

/// Words that say nothing of what a field is about.
const EMPTY: &[&str] =
    &["id", "ids", "uf", "crm", "of", "the", "by", "is", "and", "a", "der", "die", "das", "de", "field"];

/// A name or a title, as a set of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// As written, transliterated, in lower case.
    said: Vec<String>,
    /// What they mean, where the dictionary knows it.
    meant: BTreeSet<String>,
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
        let meant = said.iter().flat_map(|word| meanings(word)).collect();
        Words { said, meant }
    }

    /// Whether one of the words means this, a first word of the dictionary.
    pub fn mean(&self, word: &str) -> bool {
        self.meant.contains(word) || self.said.iter().any(|said| said == word)
    }

    /// How alike two names are, from 0 to 1: the share of the words of both that have a partner in the other. A word
    /// is as good a partner as its spelling or its meaning is near.
    pub fn alike(&self, other: &Words) -> f64 {
        if self.said.is_empty() || other.said.is_empty() {
            return 0.0;
        }
        let one = |from: &[String], to: &[String]| -> f64 {
            from.iter().map(|word| to.iter().map(|next| near(word, next)).fold(0.0, f64::max)).sum()
        };
        let both = one(&self.said, &other.said) + one(&other.said, &self.said);
        both / (self.said.len() + other.said.len()) as f64
    }
}

/// How near two words are: 1 for the same word or the same meaning, else what is left of their spelling.
fn near(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let (mine, others) = (meanings(a), meanings(b));
    if mine.iter().any(|word| others.contains(word)) {
        return 0.95;
    }
    let spelling = strsim::jaro_winkler(a, b);
    // Below this, words share their beginning by chance.
    if spelling < 0.85 { 0.0 } else { (spelling - 0.85) / 0.15 * 0.8 }
}

fn meanings(word: &str) -> BTreeSet<String> {
    let mut all: BTreeSet<String> =
        SAME.iter().filter(|group| group.contains(&word)).map(|group| group[0].to_owned()).collect();
    if all.is_empty() {
        all.insert(word.to_owned());
    }
    all
}

/// Lower case, without accents, in Latin letters where the script is Cyrillic.
fn plain(text: &str) -> String {
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
