//! The request id and the cost of a request.

use telemetry::{RequestId, cost, cost::Cost};

#[test]
fn only_short_and_safe_ids_are_accepted() {
    for good in [
        "a",
        "0190f7a2-7a6c-7c1e-9f10-2b5d8a1c3e4f",
        "A_b.9-",
        &"x".repeat(64),
    ] {
        assert_eq!(RequestId::accept(good).unwrap().as_str(), good);
    }
    for bad in ["", " a", "a\n", "a\"b", "ü", "a b", &"x".repeat(65)] {
        assert_eq!(RequestId::accept(bad), None, "{bad:?}");
        assert_ne!(RequestId::accept_or_generate(Some(bad)).as_str(), bad);
    }
}

#[test]
fn generated_ids_differ_and_are_accepted() {
    let (one, other) = (RequestId::generate(), RequestId::generate());
    assert_ne!(one, other);
    assert_eq!(RequestId::accept(one.as_str()), Some(one));
}

#[tokio::test]
async fn a_request_knows_its_id_and_what_it_cost() {
    let id = RequestId::generate();
    let work = async {
        let part = async {
            cost::add_sql(2);
            tokio::task::yield_now().await;
            cost::add_rpc(1);
        };
        tokio::join!(part, async { cost::add(Cost { rpcs: 1, sql: 4 }) });
        RequestId::current()
    };
    let (seen, cost) = telemetry::scope(id.clone(), cost::scope(work)).await;
    assert_eq!(seen, Some(id));
    assert_eq!(cost, Cost { rpcs: 2, sql: 6 });
}

#[tokio::test]
async fn outside_a_request_nothing_is_counted() {
    cost::add_sql(1);
    assert_eq!(RequestId::current(), None);
    let ((), cost) = cost::scope(async {}).await;
    assert_eq!(cost, Cost::default());
}

#[test]
fn a_cost_survives_the_header() {
    let cost = Cost { rpcs: 3, sql: 7 };
    assert_eq!(Cost::from_header(&cost.to_header()), Some(cost));
    for bad in ["", "1", "1,", "a,b", "1,2,3", "-1,2"] {
        assert_eq!(Cost::from_header(bad), None, "{bad}");
    }
}
