package config

import (
	"log/slog"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/ecb"
	"github.com/interledger-go/connector/backend/ecbcoinmarketcap"
	"github.com/interledger-go/connector/backend/ecbxrp"
)

// ecbOptions are the options that the three backends on the ECB's rates have
// in common: the reference's, and how the file is fetched.
type ecbOptions struct {
	rateOptions
	feedOptions
	URL         string    `json:"url"`
	RatesAPIURL string    `json:"ratesApiUrl"` // the same, in the reference
	MockData    *mockData `json:"mockData"`
}

// mockData replaces what would be fetched.
type mockData struct {
	Base  string          `json:"base" config:"required"`
	Date  string          `json:"date"`
	Rates map[string]Rate `json:"rates" config:"required"`
}

// fetchOptions are how a price beside the ECB's is fetched.
type fetchOptions struct {
	feedOptions
	URL      string            `json:"url"`
	Header   map[string]Secret `json:"header"`
	Price    string            `json:"price"`
	Time     string            `json:"time"`
	Currency string            `json:"currency"`
	Inverse  bool              `json:"inverse"`
}

// check looks at what the options say together; mocked is what is made of the
// mock data, if there is some.
func (v *ecbOptions) check(o *DriverOptions) (mocked *Made[backend.Backend]) {
	v.checkSpread(o)
	if v.URL != "" && v.RatesAPIURL != "" {
		o.Fault("ratesApiUrl", "is there although url is: choose one")
	}
	if v.URL == "" {
		v.URL = v.RatesAPIURL
	}
	if v.MockData == nil || o.Faulty() {
		return nil
	}
	made := makeStatic(o, "given rates in the place of the ECB's", v.Spread, map[string]map[string]Rate{v.MockData.Base: v.MockData.Rates})
	made.Notes = append(made.Notes, "mockData: nothing is fetched")
	return &made
}

func ecbBackend(o *DriverOptions) Made[backend.Backend] {
	var v ecbOptions
	v.standard(o)
	o.Decode(&v)
	if mocked := v.check(o); mocked != nil {
		return *mocked
	}
	return makeBackend(o, "rates of the European Central Bank", v.Spread, func(l *slog.Logger, now func() time.Time) (*ecb.Backend, error) {
		return ecb.New(ecb.Options{
			URL: v.URL, Spread: string(v.Spread), Refresh: v.Refresh.std(), MaxAge: v.MaxAge.std(),
			Band: string(v.Band), Confirmations: v.Confirmations, Logger: l, Now: now,
		})
	})
}

func ecbXRPBackend(o *DriverOptions) Made[backend.Backend] {
	var v struct {
		ecbOptions
		XRP fetchOptions `json:"xrp"`
	}
	v.standard(o)
	o.Decode(&v)
	if mocked := v.check(o); mocked != nil {
		return *mocked
	}
	return makeBackend(o, "rates of the European Central Bank, and a price of XRP", v.Spread, func(l *slog.Logger, now func() time.Time) (*ecbxrp.Backend, error) {
		return ecbxrp.New(ecbxrp.Options{
			Spread: string(v.Spread),
			ECB:    ecbxrp.ECB{URL: v.URL, Refresh: v.Refresh.std(), MaxAge: v.MaxAge.std(), Band: string(v.Band), Confirmations: v.Confirmations},
			XRP: ecbxrp.XRP{
				URL: v.XRP.URL, Header: header(v.XRP.Header), Price: v.XRP.Price, Time: v.XRP.Time, Currency: v.XRP.Currency, Inverse: v.XRP.Inverse,
				Refresh: v.XRP.Refresh.std(), MaxAge: v.XRP.MaxAge.std(), Band: string(v.XRP.Band), Confirmations: v.XRP.Confirmations,
			},
			Logger: l, Now: now,
		})
	})
}

func ecbCoinMarketCapBackend(o *DriverOptions) Made[backend.Backend] {
	var v struct {
		ecbOptions
		CoinMarketCap struct {
			feedOptions
			Key        Secret            `json:"key"`
			URL        string            `json:"url"`
			Currencies map[string]uint64 `json:"currencies"`
			Currency   string            `json:"currency"`
		} `json:"coinmarketcap"`
	}
	v.standard(o)
	o.Decode(&v)
	if mocked := v.check(o); mocked != nil {
		return *mocked
	}
	market := &v.CoinMarketCap
	return makeBackend(o, "rates of the European Central Bank, and prices of CoinMarketCap", v.Spread, func(l *slog.Logger, now func() time.Time) (*ecbcoinmarketcap.Backend, error) {
		return ecbcoinmarketcap.New(ecbcoinmarketcap.Options{
			Spread: string(v.Spread),
			ECB:    ecbcoinmarketcap.ECB{URL: v.URL, Refresh: v.Refresh.std(), MaxAge: v.MaxAge.std(), Band: string(v.Band), Confirmations: v.Confirmations},
			CoinMarketCap: ecbcoinmarketcap.CoinMarketCap{
				Key: string(market.Key), URL: market.URL, Currencies: market.Currencies, Currency: market.Currency,
				Refresh: market.Refresh.std(), MaxAge: market.MaxAge.std(), Band: string(market.Band), Confirmations: market.Confirmations,
			},
			Logger: l, Now: now,
		})
	})
}
