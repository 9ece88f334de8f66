package connector

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/interledger-go/connector/ledger"
)

// AdjustBalance adds diff, which may be negative, to the balance of an
// account, and returns nil when that is durable: an operator corrects the
// books, such as after money has moved by a way that the connector does not
// see. What the errors say is said at [ledger.Adjust].
func (c *Connector) AdjustBalance(ctx context.Context, id string, diff int64) error {
	l, err := c.link(id)
	if err != nil {
		return err
	}
	if err := ledger.Adjust(ctx, l.book, diff); err != nil {
		return fmt.Errorf("connector: account %q: adjusting the balance by %d: %w", id, diff, err)
	}
	c.logger.Warn("balance adjusted", slog.String("account", id), slog.Int64("difference", diff))
	return nil
}
