//! The pages in Chromium: with and without scripts, by keyboard alone, on a desk and on a phone.

use libtest_mimic::{Failed, Trial};

use crate::browser::{Browser, DESK, PHONE, Setup};
use crate::inside::{Inside, PASSWORD};
use crate::need::{Need, trial};

/// The tests.
pub fn trials() -> Vec<Trial> {
    let test = |name: &str, test: fn() -> Result<(), Failed>| trial(name, &[Need::Chromium], test);
    vec![test("pages::a_look_at_every_page", every_page)]
}

fn sign_in(browser: &Browser, url: &str, name: &str) {
    browser.go(&format!("{url}/sign-in"));
    browser.find("#name").type_in(name);
    browser.find("#password").type_in(PASSWORD);
    browser.find("main button").click();
    browser.find(".who");
}

fn every_page() -> Result<(), Failed> {
    for (kind, setup) in [("desk", DESK), ("phone", PHONE), ("dark", Setup { dark: true, ..DESK })] {
        let server = Inside::start();
        let browser = Browser::start(setup);
        browser.go(&server.url);
        browser.screenshot(&format!("{kind}-sign-in"));
        sign_in(&browser, &server.url, "jon");
        browser.screenshot(&format!("{kind}-targets"));
        browser.find("#target-orders-db button.main").click();
        browser.says("In force");
        browser.screenshot(&format!("{kind}-opened"));
        browser.find("#lasts-reports-db option[value='28800']").click();
        browser.find("#reason-reports-db").type_in("quarterly numbers");
        browser.find("#target-reports-db button.main").click();
        browser.says("Waiting for leads");
        browser.screenshot(&format!("{kind}-waiting"));
        for page in ["/history", "/nothing"] {
            browser.go(&format!("{}{page}", server.url));
            browser.screenshot(&format!("{kind}-{}", &page[1..]));
        }
        let lead = Browser::start(setup);
        sign_in(&lead, &server.url, "richard");
        lead.screenshot(&format!("{kind}-answer"));
        let operator = Browser::start(setup);
        sign_in(&operator, &server.url, "maria");
        for page in ["/operators", "/record"] {
            operator.go(&format!("{}{page}", server.url));
            operator.screenshot(&format!("{kind}-{}", &page[1..]));
        }
    }
    Ok(())
}
