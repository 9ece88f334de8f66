// Package config runs a connector from a configuration: the variables
// CONNECTOR_… and the account records of the JavaScript reference
// (ilp-connector 23), as environment, as a JSON file, or as Go values.
//
//	plan, err := config.Builtins().Load(config.Source{File: "connector.json", Environ: os.Environ()})
//	fmt.Print(plan.Explain())                // what would run, without secrets
//	a, err := plan.Build(ctx, config.Options{Logger: logger})
//	err = a.Run(ctx)                          // until ctx is done
//	err = a.Close()
//
// It is the one package that knows drivers by name. The names stand in the
// tables of a [Registry], which is a value: [Builtins] gives those of this
// module, and a host adds its own.
//
// # Reading
//
// A variable replaces the key of its name in the file, as a whole:
// CONNECTOR_ACCOUNTS, if it is set, is all accounts. What neither has is as
// [Default] says. The names of variables follow from those of keys:
// ilpAddress is CONNECTOR_ILP_ADDRESS. CONNECTOR_ILP_ADDRESS_FILE names a file
// that has the value; that is for secrets, and works for every key.
//
// The reference falls back to a default where it cannot read something. Here
// nothing is guessed: a key or a variable that is not known, a value of the
// wrong type, limits that contradict each other, the name of an account that
// is not there are all faults, and one reading reports all of them
// ([Error]), each with its path and with what would be right. What the
// reference takes and has no meaning here is taken too, and Explain says so.
//
// # Numbers
//
// Amounts are whole numbers in the smallest unit of the account's asset, as a
// JSON string or as a JSON number, and are read exactly: "9007199254740993"
// and 9007199254740993 are the same. Limits of balances may be "Infinity" or
// "-Infinity". A spread is a decimal number, read from its text; no floating
// point is involved. Durations are milliseconds, as in the reference, or a
// text with a unit such as "30s".
//
// # Secrets
//
// Whatever is a secret (tokens, URLs that hold one, the routing secret) may be
// given as the text itself, as {"file": "/run/secrets/bob"} or as
// {"env": "BOB_TOKEN"}. It is of type [Secret], which no formatting verb, log
// or JSON encoder shows, and no fault quotes it.
//
// # Changes while it runs
//
// [Assembly.Apply] takes another plan and applies what differs: accounts that
// were added, removed or changed, routes, rates, tokens and what else can change
// while packets move. Accounts that are the same are not touched. What needs a
// restart is named.
package config
