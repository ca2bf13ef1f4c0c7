//! Both forms of AWS's price list, and what is wrong with others.

use super::*;

const PRODUCT: &str = r#"{"sku": "A1", "productFamily": "NAT Gateway", "attributes": {"regionCode": "eu-west-1", "usagetype":
    "EU-NatGateway-Hours", "operation": "NatGateway", "locationType": "AWS Region"}}"#;
const TERMS: &str = r#"{"A1.JRTCKXETXF": {"effectiveDate": "2026-09-01T00:00:00Z", "priceDimensions": {"A1.JRTCKXETXF.6YS6EN2CT7":
    {"unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": {"USD": "0.0480000000"}}}}}"#;

fn answer() -> String {
    let member = format!(
        r#"{{"product": {PRODUCT}, "terms": {{"OnDemand": {TERMS}}}, "publicationDate": "2026-09-25T18:07:31Z"}}"#
    );
    let text = serde_json::Value::from(member).to_string();
    format!(r#"{{"FormatVersion": "aws_v1", "NextToken": null, "PriceList": [{text}]}}"#)
}

fn offer_file() -> String {
    let other =
        r#"{"sku": "B1", "attributes": {"regionCode": "eu-west-1", "usagetype": "EU-BoxUsage:t4g.nano"}}"#;
    format!(
        r#"{{"formatVersion": "v1.0", "offerCode": "AmazonEC2", "publicationDate": "2026-09-25T18:07:31Z",
        "products": {{"A1": {PRODUCT}, "B1": {other}}},
        "terms": {{"OnDemand": {{"B1": {{"x": [1, {{"y": 2}}]}}, "A1": {TERMS}}}, "Reserved": {{"A1": {{"z": null}}}}}}, "attributesList": {{}}}}"#
    )
}

fn imported(texts: &[String]) -> Import {
    let mut import = Import::default();
    for text in texts {
        import.read("f.json", text.as_bytes()).expect("prices");
    }
    import
}

/// What one file yields, and the notes.
fn check(text: String, prices: &[&str], notes: &[&str]) {
    let import = imported(std::slice::from_ref(&text));
    let table = import.table();
    let told: Vec<String> = table
        .regions()
        .flat_map(|region| {
            table.prices(region).map(move |(item, price)| {
                format!("{region} {} {} {} {}", item.key(), price.usd, price.sure.word(), price.date)
            })
        })
        .collect();
    assert_eq!(told, prices, "{text}");
    assert_eq!(import.notes(), notes, "{text}");
}

const NAT: &str = "eu-west-1 nat-gateway-hour $0.048 list 2026-09-25";

#[test]
fn answers_and_offer_files_have_the_same_prices() {
    check(answer(), &[NAT], &[]);
    check(offer_file(), &[NAT], &[]);
    let parsed = format!(
        r#"{{"PriceList": [{{"product": {PRODUCT}, "terms": {{"OnDemand": {TERMS}}}, "publicationDate": "2026-09-25"}}]}}"#
    );
    check(parsed, &[NAT], &[]);
}

#[test]
fn what_is_not_the_price_of_an_item_is_left_out_and_said() {
    check(answer().replace("AWS Region", "AWS Local Zone"), &[], &[]);
    check(
        answer().replace(r#"\"operation\": \"NatGateway\""#, r#"\"operation\": \"RegionalNatGateway\""#),
        &[],
        &[],
    );
    check(
        answer().replace("USD", "CNY"),
        &[],
        &["f.json: a NAT gateway in eu-west-1 is left out: it has no price in US dollars"],
    );
    check(
        answer().replace("0.0480000000", "0.00000000001"),
        &[],
        &[
            "f.json: a NAT gateway in eu-west-1 is left out: `0.00000000001` is not an amount of US dollars (like `0.045`)",
        ],
    );
    check(
        answer().replace(r#""NextToken": null"#, r#""NextToken": "more""#),
        &[NAT],
        &["f.json: it is not the last page; record the others too"],
    );
    check(
        offer_file().replace("\"publicationDate\"", "\"publishedOn\""),
        &[],
        &["f.json: it has no `publicationDate`, so its prices are left out"],
    );
}

#[test]
fn the_price_of_the_first_unit_counts() {
    let tiers = r#"{"beginRange": "1048576", "pricePerUnit": {"USD": "0.0100000000"}}, "first": {"unit": "Hrs", "beginRange": "0","#;
    check(offer_file().replace(r#"{"unit": "Hrs", "beginRange": "0","#, tiers), &[NAT], &[]);
}

#[test]
fn the_later_of_two_days_counts_and_two_prices_of_a_day_are_said() {
    let later = answer().replace("0.0480000000", "0.0500000000").replace("2026-09-25", "2026-10-25");
    for files in [[answer(), later.clone()], [later, answer()]] {
        let import = imported(&files);
        let price = import.table().price("eu-west-1", Item::NatGatewayHour).expect("a price");
        assert_eq!((price.usd.to_string().as_str(), price.date.as_str()), ("$0.05", "2026-10-25"));
    }
    let import = imported(&[answer(), answer().replace("0.0480000000", "0.0500000000")]);
    assert_eq!(
        import.notes(),
        [
            "f.json: a NAT gateway in eu-west-1 has two prices of the same day, $0.048 and $0.05; the first is used"
        ]
    );
}

#[test]
fn what_is_no_price_list_is_refused() {
    let check = |text: &str, expected: &str| {
        let error = Import::default().read("f.json", text.as_bytes()).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    };
    check(
        "{}",
        "it has neither `PriceList` nor `products` and `terms`, so it is not part of AWS's price list",
    );
    check("[1]", "it is not JSON as AWS writes it (line 1, column 1)");
    check("{\"PriceList\": [", "it ends before its JSON is complete");
    check("{\"PriceList\": [}", "it is not JSON as AWS writes it (line 1, column 16)");
}
