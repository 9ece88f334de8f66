package ccp

import "time"

// DefaultHoldDown is how long routes stay good without an update (CCP-36).
const DefaultHoldDown = 45 * time.Second
