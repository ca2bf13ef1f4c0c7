//! The pages in Chromium: with and without scripts, by keyboard alone, on a desk and on a phone.

use std::fs;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::browser::{Browser, DESK, ENTER, PHONE, Setup, TAB};
use crate::inside::{Inside, PASSWORD};
use crate::nat::{OUTSIDE, OUTSIDE_V6};
use crate::need::{Need, trial};

const WITHOUT_SCRIPTS: Setup = Setup { scripts: false, ..DESK };

/// The tests.
pub fn trials() -> Vec<Trial> {
    let test = |name: &str, test: fn()| {
        trial(&format!("pages::{name}"), &[Need::Chromium], move || {
            test();
            Ok::<(), Failed>(())
        })
    };
    vec![
        test("a_story_with_scripts", || story(DESK, "scripts")),
        test("a_story_without_scripts", || story(WITHOUT_SCRIPTS, "plain")),
        test("a_story_by_keyboard_alone", by_keyboard),
        test("every_page_fits_a_phone_and_a_desk", every_page_fits),
        test("what_others_do_appears_by_itself", live),
        test("a_door_falls_shut_before_the_eyes", falls_shut),
        test("both_addresses_are_admitted", both_addresses),
        test("many_targets_and_long_words_fit", many_and_long),
        test("times_are_in_one_zone_that_is_named", one_zone),
        test("whoever_leaves_is_signed_out", leaves),
    ]
}

fn sign_in(browser: &Browser, url: &str, name: &str, password: &str) {
    browser.go(&format!("{url}/sign-in"));
    browser.find("#name").type_in(name);
    browser.find("#password").type_in(password);
    browser.find("main button").click();
}

fn signed_in(setup: Setup, url: &str, name: &str) -> Browser {
    let browser = Browser::start(setup);
    sign_in(&browser, url, name, PASSWORD);
    browser.find(".who");
    browser
}

/// From a wrong password to the record: what a person and an operator do in a day.
fn story(setup: Setup, name: &str) {
    let server = Inside::start();
    let browser = Browser::start(setup);
    browser.go(&server.url);
    assert!(browser.url().ends_with("/sign-in"), "{}", browser.url());
    sign_in(&browser, &server.url, "jon", "wrong");
    browser.says("Wrong name or password.");
    assert_eq!(browser.find("#name").property("value"), "jon");
    browser.screenshot(&format!("{name}-1-refused"));
    sign_in(&browser, &server.url, "jon", PASSWORD);

    browser.says("You have no open grants.");
    browser.says(OUTSIDE);
    browser.says("Your IPv6 address is not known.");
    browser.says("new connections are refused; one that is already open may live on");
    assert_eq!(browser.count("a[href='/operators']"), 0);
    browser.find("#reason-orders-db").type_in("ticket 4711");
    browser.find("#target-orders-db button.main").click();
    browser.says(&format!("orders-db is open for {OUTSIDE} until"));
    browser.says("In force");
    browser.says("psql --host=orders.db.internal --port=5432");
    browser.says(if setup.scripts { "1 h 59 min" } else { "1 h 59 min left" });
    browser.screenshot(&format!("{name}-2-open"));
    browser.reload();
    browser.says("1 h 59 min");
    assert!(!browser.text().contains("orders-db is open for"), "what was said once is not said again");

    browser.find(".grant option[value='14400']").click();
    browser.find(".grant .row button").click();
    browser.says("orders-db stays open");
    browser.says("3 h 59 min");

    // A reason is asked for; the browser would not send the form without one, so a blank goes past it.
    browser.find("#reason-reports-db").type_in("   ");
    browser.find("#target-reports-db button.main").click();
    browser.says("This request failed.");
    browser.says("reports-db needs a reason.");
    browser.screenshot(&format!("{name}-3-refused"));
    browser.find("#reason-reports-db").type_in("quarterly numbers");
    browser.find("#lasts-reports-db option[value='28800']").click();
    browser.find("#target-reports-db button.main").click();
    browser.says(&format!("It opens for {OUTSIDE} once the request is approved."));
    browser.says("Waiting for approval by leads");

    let lead = signed_in(setup, &server.url, "richard");
    lead.says("jon requests reports-db");
    lead.screenshot(&format!("{name}-4-asked"));
    lead.find(".asked button.main").click();
    lead.says("You approved the request.");
    browser.go(&server.url);
    browser.says("Approved by");
    browser.says("7 h 59 min");
    assert_eq!(browser.count(".grant"), 2);

    let operator = signed_in(setup, &server.url, "maria");
    operator.go(&format!("{}/operators", server.url));
    operator.says("ticket 4711");
    operator.says("approved by richard");
    assert_eq!(operator.count("tbody tr"), 2);
    operator.screenshot(&format!("{name}-5-operators"));
    operator.find("tbody tr:last-child button.danger").click();
    operator.says("reports-db is revoked");
    assert!(operator.url().contains("/operators"), "{}", operator.url());
    assert_eq!(operator.count("tbody tr"), 1);

    browser.go(&server.url);
    browser.find(".grant button.danger").click();
    browser.says(&format!("orders-db is revoked for {OUTSIDE}."));
    browser.says("New connections are refused. Connections that are already open stay open");
    browser.says("You have no open grants.");
    browser.screenshot(&format!("{name}-6-closed"));
    browser.go(&format!("{}/history", server.url));
    browser.says("ticket 4711");
    browser.says("revoked by maria");
    browser.says("revoked by jon");
    browser.screenshot(&format!("{name}-7-history"));

    operator.go(&format!("{}/record", server.url));
    for text in
        ["failed to sign in", "opened orders-db", "requested reports-db", "added a rule to orders-clients"]
    {
        operator.says(text);
    }
    operator.screenshot(&format!("{name}-8-record"));
    browser.find(".who button").click();
    browser.says("You are signed out.");
    if setup.scripts {
        // The refused sign-in and the refused form are answers that the browser notes; nothing else is.
        let complaints = browser.complaints();
        let other: Vec<_> =
            complaints.iter().filter(|line| !line.contains("Failed to load resource")).collect();
        assert!(other.is_empty(), "{other:?}");
    }
}

/// Presses Tab until something of that name has the focus.
fn tab_to(browser: &Browser, name: &str) {
    let mut passed = Vec::new();
    for _ in 0..60 {
        let focused = browser.focused();
        if focused == name {
            return;
        }
        passed.push(focused);
        browser.press(&TAB.to_string());
    }
    panic!("Tab does not come to {name:?}; it passed {passed:?}");
}

fn by_keyboard() {
    let server = Inside::start();
    let browser = Browser::start(DESK);
    browser.go(&server.url);
    // The name has the focus at once.
    assert_eq!(browser.focused(), "Name");
    browser.press("jon");
    browser.press(&TAB.to_string());
    assert_eq!(browser.focused(), "Password");
    browser.press(PASSWORD);
    browser.press(&ENTER.to_string());
    browser.find(".who");

    browser.press(&TAB.to_string());
    assert_eq!(browser.focused(), "Skip to the content");
    browser.screenshot("keyboard-skip");
    browser.press(&ENTER.to_string());
    tab_to(&browser, "Open wiki");
    browser.screenshot("keyboard-focus");
    browser.press(&ENTER.to_string());
    browser.says("wiki is open");
    // What came of it has the focus, so a screen reader reads it, and Tab goes on from there.
    let focused = browser.script("return document.activeElement.className");
    assert_eq!(focused, "note");
    tab_to(&browser, "Extend wiki to");
    // The next choice of the list, as a person finds it without a mouse.
    browser.press("\u{e015}");
    tab_to(&browser, "Extend wiki");
    browser.press(&ENTER.to_string());
    browser.says("wiki stays open");
    tab_to(&browser, &format!("Revoke wiki for {OUTSIDE}"));
    browser.press(" ");
    browser.says("wiki is revoked");
    tab_to(&browser, "Sign out");
    browser.press(&ENTER.to_string());
    browser.says("You are signed out.");
}

fn every_page_fits() {
    let widths = [("phone", PHONE), ("desk", DESK), ("dark", Setup { dark: true, ..DESK })];
    for (kind, setup) in widths {
        let server = Inside::start();
        let look = |browser: &Browser, name: &str| {
            browser.screenshot(&format!("{kind}-{name}"));
            assert!(browser.fits(), "{name} is wider than a {kind}");
            let unnamed = browser.script(
                "return [...document.querySelectorAll('input:not([type=hidden]),select,button,a')]\
                 .filter(e => !(e.labels?.length || e.textContent.trim() || e.closest('label'))).length",
            );
            assert_eq!(unnamed, 0, "{name} has controls without a name");
            let headings = browser.script("return document.querySelectorAll('h1').length");
            assert_eq!(headings, 1, "{name}");
        };
        let browser = Browser::start(setup);
        browser.go(&server.url);
        look(&browser, "sign-in");
        sign_in(&browser, &server.url, "jon", PASSWORD);
        browser.says("You have no open grants.");
        look(&browser, "nothing-open");
        let long = format!("a reason without end: {}", "x".repeat(200));
        browser.find("#reason-orders-db").type_in(&long);
        browser.find("#target-orders-db button.main").click();
        browser.says("In force");
        look(&browser, "open");
        browser.find("#reason-reports-db").type_in("quarterly numbers");
        browser.find("#lasts-reports-db").type_in("8 h");
        browser.find("#target-reports-db button.main").click();
        browser.says("Waiting for approval by leads");
        look(&browser, "waiting");
        let lead = signed_in(setup, &server.url, "richard");
        look(&lead, "asked");
        let operator = signed_in(setup, &server.url, "maria");
        for page in ["operators", "record"] {
            operator.go(&format!("{}/{page}", server.url));
            look(&operator, page);
            let persons = "[...document.querySelectorAll('#open ~ table tbody th')].map(e => e.clientWidth)";
            let narrowest = operator.script(&format!("return Math.min(1000, ...{persons})"));
            let is_squeezed = narrowest.as_f64().is_none_or(|wide| wide < 150.0);
            assert!(page != "operators" || !is_squeezed, "a long reason squeezes names to {narrowest} px");
        }
        browser.go(&server.url);
        browser.find(".grant button.danger").click();
        browser.says("orders-db is revoked");
        for page in ["history", "nothing-here"] {
            browser.go(&format!("{}/{page}", server.url));
            look(&browser, page);
        }
    }
}

/// As if somebody came back to the window, which need not wait for the next time that it looks by itself.
fn look_again(browser: &Browser) {
    browser.script("document.dispatchEvent(new Event('visibilitychange'))");
}

/// What another person or another window does is seen without a reload, and what is being typed stays.
fn live() {
    let server = Inside::start();
    let browser = signed_in(DESK, &server.url, "jon");
    browser.says("You have no open grants.");
    browser.find("#reason-wiki").type_in("half a sen");
    let elsewhere = signed_in(WITHOUT_SCRIPTS, &server.url, "jon");
    elsewhere.find("#target-orders-db button.main").click();
    elsewhere.says("orders-db is open");
    browser.wait("the other window's grant appears", |browser| browser.count(".grant") == 1);
    browser.says("In force");
    assert_eq!(browser.find("#reason-wiki").property("value"), "half a sen");
    let same = browser.script("return document.activeElement.id");
    assert_eq!(same, "reason-wiki");
    // A card that did not change is the very same element, with what was chosen in it.
    browser.script("document.querySelector('.grant').dataset.seen = 'yes'");
    elsewhere.find("#target-wiki button.main").click();
    elsewhere.says("wiki is open");
    look_again(&browser);
    browser.wait("the second grant appears", |browser| browser.count(".grant") == 2);
    assert_eq!(browser.count(".grant[data-seen]"), 1);
    elsewhere.find(".grant button.danger").click();
    elsewhere.says("is revoked for");
    look_again(&browser);
    browser.wait("the closed one goes", |browser| browser.count(".grant") == 1);
}

/// A grant of six seconds: counted down, and gone by itself.
fn falls_shut() {
    let server = Inside::start();
    let browser = signed_in(DESK, &server.url, "maria");
    browser.find("#target-fuse button.main").click();
    browser.says("fuse is open");
    let seconds = || {
        let text = browser.script("return document.querySelector('[role=timer]')?.textContent ?? ''");
        text.as_str().unwrap_or_default().split(' ').next().and_then(|count| count.parse::<u32>().ok())
    };
    let first = seconds().expect("a countdown");
    std::thread::sleep(Duration::from_millis(2200));
    let second = seconds().expect("a countdown");
    assert!(second < first && first - second <= 4, "{first} and then {second}");
    browser.says("You have no open grants.");
    assert_eq!(browser.script("return document.getElementById('say').textContent"), "fuse has ended");
}

/// The page came over IPv4; a script learns the IPv6 address from the other name, and both are let in.
fn both_addresses() {
    let server = Inside::with(&["127.0.0.1", "::1"], |addresses| {
        format!(
            "url = \"http://doorward.localhost:{}\"\nurl-v6 = \"http://v6.doorward.localhost:{}\"\n",
            addresses[0].port(),
            addresses[1].port()
        )
    });
    let rules = "MAP v6.doorward.localhost [::1], MAP doorward.localhost 127.0.0.1";
    let browser = Browser::with(DESK, &[format!("--host-resolver-rules={rules}")]);
    sign_in(&browser, &server.url, "jon", PASSWORD);
    browser.find("#target-orders-db .admit:not([hidden])");
    browser.says(OUTSIDE_V6);
    browser.screenshot("both-addresses");
    browser.find("#target-orders-db button.main").click();
    browser.says(&format!("orders-db is open for {OUTSIDE}"));
    browser.says(&format!("orders-db is open for {OUTSIDE_V6}"));
    assert_eq!(browser.count(".grant"), 2);
    browser.screenshot("both-open");
    // One of the two alone.
    browser.find("#target-wiki .admit:not([hidden]) input[value=own]").click();
    browser.find("#target-wiki button.main").click();
    browser.says(&format!("wiki is open for {OUTSIDE_V6}"));
    assert!(!browser.text().contains(&format!("wiki is open for {OUTSIDE}")));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Many targets, some with a word without end, and a recorded account.
fn crowded() -> Inside {
    let target = |number: usize| {
        let about = if number.is_multiple_of(5) {
            "https://wiki.example.org/".to_owned() + &"x".repeat(300)
        } else {
            format!("Part {number}")
        };
        format!(
            "[target.part-{number}]\nabout = \"{about}\"\naddress = \"part-{number}.internal\"\nports = [\"tcp/{}\"]\n\
             groups = [\"{}\"]\ntransports = [\"direct\"]\nfirewall = \"orders-clients\"\n",
            6000 + number,
            if number.is_multiple_of(2) { "dbs" } else { "leads" },
        )
    };
    let account = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/account");
    let more = (0..40).map(target).collect::<String>();
    Inside::with(&["127.0.0.1"], |_| format!("[inventory]\nfolder = \"{account}\"\n{more}"))
}

fn many_and_long() {
    let server = crowded();
    for (kind, setup) in [("phone", PHONE), ("desk", DESK), ("plain", WITHOUT_SCRIPTS)] {
        let browser = signed_in(setup, &server.url, "richard");
        browser.says("Your targets");
        assert!(browser.fits(), "a long word is wider than a {kind}");
        assert_eq!(browser.count(".target details"), 43, "{kind}");
        browser.find("#find").type_in("part-15");
        browser.find(".find button").click();
        browser.says("1 of 43 targets.");
        assert_eq!(browser.count(".target"), 1);
        browser.find("#target-part-15 button.main").click();
        browser.says("part-15 is open");
        assert!(browser.fits(), "a long word in a grant is wider than a {kind}");
        browser.screenshot(&format!("crowded-{kind}"));
        browser.find(".grant button.danger").click();
        browser.says("part-15 is revoked");
    }
    let operator = signed_in(PHONE, &server.url, "maria");
    operator.go(&format!("{}/reach", server.url));
    operator.find(".sheet svg");
    let hidden =
        "const sheet = document.querySelector('.sheet'); return sheet.scrollWidth - sheet.clientWidth";
    assert!(operator.script(hidden).as_i64().is_some_and(|hidden| hidden <= 0), "the picture fits a phone");
    operator.find("#full-size").click();
    assert!(operator.script(hidden).as_i64().is_some_and(|hidden| hidden > 0), "in full size it is scrolled");
}

fn one_zone() {
    let server = Inside::start();
    let browser = signed_in(DESK, &server.url, "maria");
    browser.find("#target-wiki button.main").click();
    browser.says("wiki is open");
    for page in ["", "operators", "record"] {
        browser.go(&format!("{}/{page}", server.url));
        browser.find("time");
        // What the server wrote in UTC stays as a title, beside the reader's own zone with its name.
        let zones = browser.script(
            "const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' }).formatToParts(new Date())\
             .find(part => part.type === 'timeZoneName').value;\
             return [...document.querySelectorAll('time')].filter(time => !time.textContent.endsWith(zone) || !time.title.endsWith(' UTC'))\
             .map(time => time.outerHTML)",
        );
        assert_eq!(zones, serde_json::json!([]), "{page}");
    }
    let plain = signed_in(WITHOUT_SCRIPTS, &server.url, "maria");
    for page in ["", "operators", "record"] {
        plain.go(&format!("{}/{page}", server.url));
        plain.says(" UTC");
    }
}

/// Somebody who is taken out of the password file is signed out, and what they had open is closed.
fn leaves() {
    let server = Inside::start();
    let browser = signed_in(DESK, &server.url, "jon");
    browser.find("#target-orders-db button.main").click();
    browser.says("orders-db is open");
    let people = server.folder().join("people.htpasswd");
    let without: String = fs::read_to_string(&people)
        .expect("the people")
        .lines()
        .filter(|line| !line.starts_with("jon:"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&people, without).expect("the people");
    let operator = signed_in(DESK, &server.url, "maria");
    operator.wait("what jon had open is closed", |operator| {
        operator.go(&format!("{}/operators", server.url));
        operator.text().contains("No grant is open.")
    });
    look_again(&browser);
    browser.wait("jon is signed out", |browser| browser.url().ends_with("/sign-in"));
    sign_in(&browser, &server.url, "jon", PASSWORD);
    browser.says("Wrong name or password.");
}
