//! Pictures as a whole: a golden one, and laws that hold for any drawing.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use doorward_core::reach::RoleId;
use proptest::prelude::*;

use super::geometry::{Laid, MARGIN, Rect};
use super::grouping::{FEW_LINES, Node, Scene};
use super::*;

fn laid<'a>(drawing: &'a Drawing) -> (Scene<'a>, Laid) {
    let scene = grouping::fold(drawing);
    let plan = ordering::arrange(&scene);
    let routes = route::routes(&scene, &plan);
    let laid = layout::lay(&scene, &plan, routes);
    (scene, laid)
}

/// The picture of the shop as it is checked in; `GOLDEN=write` writes it anew, to be looked at.
#[test]
fn the_shop_is_drawn_as_it_was() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/shop.svg");
    let is = draw(&examples::small(), &Setting::File);
    if std::env::var("GOLDEN").is_ok_and(|how| how == "write") {
        fs::write(file, &is).expect("the golden picture");
    }
    let was = fs::read_to_string(file).expect("the golden picture");
    let differ = is.lines().zip(was.lines()).find(|(is, was)| is != was);
    assert!(is == was, "look at it, then write it with GOLDEN=write: {differ:?}");
}

#[test]
fn every_way_of_a_small_drawing_is_drawn() {
    let drawing = examples::small();
    let (scene, laid) = laid(&drawing);
    assert_eq!(laid.paths.len() + scene.loops.len(), drawing.edges.len());
    let page = draw(
        &drawing,
        &Setting::Page(&|click| match click {
            Click::Edge(edge) => Some(format!("#{}-{}", edge.from, edge.to)),
            Click::Spot(spot) => Some(format!("#{spot}")),
            Click::Between(..) => None,
        }),
    );
    for edge in &drawing.edges {
        assert!(page.contains(&format!("href=\"#{}-{}\"", edge.from, edge.to)), "{edge:?}");
    }
    assert!(!page.contains("<style") && !page.contains(" style="), "a page forbids it");
}

#[test]
fn a_large_account_is_a_picture_that_can_be_opened() {
    let drawing = examples::account(500, 3);
    let begun = Instant::now();
    let text = draw(&drawing, &Setting::File);
    // Unoptimised and beside other tests; a release takes a twentieth.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(text.len() < 2_000_000, "{}", text.len());
    let (scene, laid) = laid(&drawing);
    assert!(scene.lines.len() <= 2 * FEW_LINES, "{}", scene.lines.len());
    assert!(laid.width < 4 * (laid.graded(1000)), "{}", laid.width);
    // Every line is in the picture, drawn or waiting.
    assert_eq!(scene.waiting.len(), scene.links.len());
}

/// Everybody reaches everybody: more lines than anybody could look at.
#[test]
fn a_flat_network_is_a_picture_too() {
    let roles = 400;
    let mut drawing = Drawing { title: "flat".into(), ..Drawing::default() };
    let all = (0..roles).map(|id| examples::role(id, &format!("host-{id}"), &["all"], 1, false)).collect();
    drawing.vpcs.push(Vpc {
        id: "vpc-1".into(),
        name: None,
        about: vec![],
        tiers: vec![examples::tier("flat", "", all)],
    });
    let spot = |id| Spot::Role(RoleId(id));
    for from in 0..roles {
        for to in (0..roles).filter(|to| *to != from) {
            drawing.edges.push(examples::edge(spot(from), spot(to), "all", Kind::Wide));
        }
    }
    let text = draw(&drawing, &Setting::File);
    assert!(text.len() < 1_000_000, "{}", text.len());
    assert!(text.contains("159600 within"));
    assert!(text.contains("too many lines to draw"));
}

#[test]
fn a_part_shows_nothing_else() {
    let drawing = examples::small();
    let part = drawing.narrowed(Focus::Of(Spot::Role(RoleId(9)))).expect("the runner");
    assert_eq!(part.edges.len(), 3);
    let text = draw(&part, &Setting::File);
    assert!(text.contains("Paths of runner") && text.contains("grafana") && text.contains(">web<"));
    assert!(!text.contains("orders-prod") && !text.contains("vgw-0a1b2c3d"));
    let between = Focus::Between(Spot::Role(RoleId(2)), Spot::Role(RoleId(5)));
    let part = drawing.narrowed(between).expect("two tiers");
    assert!(part.edges.iter().all(|edge| edge.kind == Kind::Database) && part.edges.len() == 5);
    assert_eq!(drawing.narrowed(Focus::Of(Spot::Role(RoleId(4711)))), None);
}

#[test]
fn nothing_at_all_is_drawn_without_a_fuss() {
    for drawing in [Drawing::default(), Drawing { edges: Vec::new(), ..examples::small() }] {
        let text = draw(&drawing, &Setting::File);
        assert!(text.starts_with("<svg") && text.ends_with("</svg>\n"));
    }
    // A way whose ends are not there has nowhere to be drawn.
    let mut drawing = examples::small();
    drawing.vpcs.clear();
    drawing.outside.clear();
    assert!(!draw(&drawing, &Setting::File).contains("class=\"ink\""));
}

#[test]
fn names_stay_text() {
    let evil = "</title><script>alert(1)</script>\"'&\u{202e}\u{1}";
    let mut drawing = examples::small();
    drawing.title = evil.into();
    drawing.notes = vec![evil.into()];
    for outside in &mut drawing.outside {
        (outside.name, outside.about) = (evil.into(), evil.into());
    }
    for edge in &mut drawing.edges {
        edge.flows = evil.into();
    }
    for vpc in &mut drawing.vpcs {
        (vpc.id, vpc.name, vpc.about) = (evil.into(), Some(evil.into()), vec![evil.into()]);
        for tier in &mut vpc.tiers {
            (tier.title, tier.about, tier.subnets) = (evil.into(), evil.into(), vec![evil.into()]);
            for role in &mut tier.roles {
                (role.name, role.groups) = (evil.into(), vec![evil.into()]);
            }
        }
    }
    let text = draw(&drawing, &Setting::File);
    assert!(!text.contains("<script") && !text.contains('\u{202e}') && !text.contains('\u{1}'));
    assert!(text.contains("&lt;/title&gt;&lt;script&gt;"));
}

/// Drawings of any shape: VPCs of a few tiers, ways between any two ends, names of any length.
fn drawings(most: u32) -> impl Strategy<Value = Drawing> {
    let shape = prop::collection::vec(prop::collection::vec(0..most, 1..5), 1..6);
    let edges = prop::collection::vec((any::<u16>(), any::<u16>(), 0..5usize, any::<bool>(), 0..3u8), 0..400);
    (shape, edges, 0..4usize).prop_map(|(shape, edges, outside)| {
        let mut drawing = Drawing { title: "any".into(), ..Drawing::default() };
        let mut spots = Vec::new();
        for place in 0..outside {
            spots.push(Spot::Outside(place));
            let name = "out ".repeat(place + 1);
            drawing.outside.push(Outside { name, about: "outside".into(), internet: place == 0 });
        }
        let mut next = 0;
        for (number, tiers) in shape.into_iter().enumerate() {
            let tier = |(place, roles): (usize, u32)| {
                let roles = (0..roles).map(|_| {
                    next += 1;
                    let id = next - 1;
                    spots.push(Spot::Role(RoleId(id)));
                    let name = "long-name-".repeat(1 + id as usize % 5);
                    examples::role(id, &name, &["group"], 1 + id as usize % 3, id % 4 == 0)
                });
                examples::tier(&format!("tier {place}"), "some subnets", roles.collect())
            };
            let tiers = tiers.into_iter().enumerate().map(tier).collect();
            let id = format!("vpc-{number}");
            drawing.vpcs.push(Vpc { id, name: None, about: vec!["10.0.0.0/8".into()], tiers });
        }
        if !spots.is_empty() {
            drawing.edges = edges
                .into_iter()
                .map(|(from, to, kind, whole, flows)| {
                    let spot = |at: u16| spots[usize::from(at) % spots.len()];
                    let edge = examples::edge(
                        spot(from),
                        spot(to),
                        ["tcp/1", "tcp/2", ""][usize::from(flows)],
                        Kind::ALL[kind],
                    );
                    Edge { whole, ..edge }
                })
                .collect();
        }
        drawing
    })
}

fn inside(inner: Rect, outer: Rect) -> bool {
    inner.x >= outer.x
        && inner.y >= outer.y
        && inner.right() <= outer.right()
        && inner.bottom() <= outer.bottom()
}

fn apart(what: &str, rects: &[Rect]) {
    let mut order: Vec<Rect> = rects.iter().copied().filter(|rect| rect.w > 0).collect();
    order.sort_by_key(|rect| (rect.x, rect.y));
    for (place, rect) in order.iter().enumerate() {
        let near = order[place + 1..].iter().take_while(|other| other.x < rect.right());
        for other in near {
            assert!(!rect.meets(*other), "{what} {rect:?} and {other:?}");
        }
    }
}

fn check_laws(drawing: &Drawing) {
    let (scene, laid) = laid(drawing);
    apart("boxes", &laid.cells);
    apart("bands", &laid.bands);
    apart("VPCs", &laid.areas);
    apart("places outside", &laid.outside);
    let whole = Rect { x: 0, y: 0, w: laid.width, h: laid.legend };
    for (cell, rect) in scene.cells.iter().zip(&laid.cells) {
        assert!(inside(*rect, laid.bands[cell.band]), "a box in its band");
    }
    for (band, rect) in scene.bands.iter().zip(&laid.bands) {
        assert!(inside(*rect, laid.areas[band.area]), "a band in its VPC");
    }
    for rect in laid.areas.iter().filter(|rect| rect.w > 0).chain(&laid.outside) {
        assert!(inside(*rect, whole), "{rect:?} in {whole:?}");
    }
    // Lines run beside boxes: only their own ends touch one.
    for path in &laid.paths {
        let line = &scene.lines[path.line];
        let ends = [line.from, line.to];
        for (a, b) in path.points.iter().zip(path.points.iter().skip(1)) {
            assert!(a.0 == b.0 || a.1 == b.1, "a line runs level or upright");
            assert!(
                [a, b].iter().all(|at| (0..=laid.width).contains(&at.0) && (0..=laid.legend).contains(&at.1))
            );
            let piece = Rect {
                x: a.0.min(b.0),
                y: a.1.min(b.1),
                w: (a.0 - b.0).abs().max(1),
                h: (a.1 - b.1).abs().max(1),
            };
            for (number, rect) in laid.cells.iter().enumerate() {
                let own = ends.contains(&Node::Cell(number));
                let core = Rect { x: rect.x + 1, y: rect.y + 1, w: rect.w - 2, h: rect.h - 2 };
                assert!(!core.meets(piece), "a line through a box{}", if own { " of its own" } else { "" });
            }
        }
    }
    // Labels stand on free ground.
    let labels: Vec<Rect> = label::labels(&scene, &laid).into_iter().map(|label| label.rect).collect();
    apart("labels", &labels);
    for label in &labels {
        assert!(!laid.cells.iter().chain(&laid.outside).any(|rect| rect.meets(*label)), "a label on a box");
    }
    let roles: BTreeSet<RoleId> =
        scene.cells.iter().flat_map(|cell| cell.roles.iter().map(|role| role.id)).collect();
    let all = drawing.vpcs.iter().flat_map(|vpc| &vpc.tiers).map(|tier| tier.roles.len()).sum::<usize>();
    assert_eq!(roles.len(), all, "every role is somewhere");
    assert!(laid.width >= MARGIN);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn boxes_stand_apart_and_lines_run_beside_them(drawing in drawings(12)) {
        check_laws(&drawing);
    }

    #[test]
    fn the_same_drawing_is_the_same_picture(drawing in drawings(8)) {
        prop_assert_eq!(draw(&drawing, &Setting::File), draw(&drawing.clone(), &Setting::File));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn also_with_five_hundred_roles(drawing in drawings(60)) {
        check_laws(&drawing);
    }
}

#[test]
fn the_laws_hold_for_accounts_as_they_are() {
    for (roles, seed) in [(10, 1), (30, 1), (100, 2), (500, 3)] {
        check_laws(&examples::account(roles, seed));
    }
    check_laws(&examples::small());
}
