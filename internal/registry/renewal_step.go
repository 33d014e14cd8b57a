package registry

// inUseSteps are those in which the successor opens or verifies, in their order.
var inUseSteps = []RenewalStep{
	RenewalStaged, RenewalLoaded, RenewalOffered, RenewalConfirmed, RenewalActive, RenewalTold, RenewalQuiet,
	RenewalDone,
}

// step returns the step that follows from the rows.
func (f follower) step(n *Renewal) (RenewalStep, error) {
	successor, err := keyState(f.tx, n.Leg, n.Successor)
	if err != nil {
		return "", err
	}
	replaced, err := keyState(f.tx, n.Leg, n.Replaces)
	if err != nil {
		return "", err
	}
	if n.Owner == Theirs {
		return stepOfTheirs(n, successor, replaced), nil
	}
	var offer Offer
	if n.Partner != "" && n.Successor != "" {
		offers, err := f.tx.Offers(n.Partner)
		if err != nil {
			return "", err
		}
		for _, o := range offers {
			if o.KeyPair == n.Successor {
				offer = o
			}
		}
	}
	return stepOfOurs(n, successor, replaced, offer), nil
}

// stepOfOurs returns the step of a renewal of ours.
func stepOfOurs(n *Renewal, successor, replaced State, offer Offer) RenewalStep {
	switch successor {
	case "":
		return withoutSuccessor(n, replaced)
	case Staged:
		switch {
		case !offer.Installed.IsZero() || !offer.Confirmed.IsZero():
			return RenewalConfirmed
		case !offer.At.IsZero():
			return RenewalOffered
		case !n.LoadedAt.IsZero():
			return RenewalLoaded
		}
		return RenewalStaged
	case Active:
		return stepOfActive(n, replaced)
	case Retiring:
		return RenewalSuperseded
	case Compromised:
		return RenewalCompromised
	}
	return ended(n)
}

// stepOfTheirs returns the step of a renewal of a partner's certificate. One that was rejected leaves
// the renewal open: another is asked for.
func stepOfTheirs(n *Renewal, successor, replaced State) RenewalStep {
	switch successor {
	case Received:
		return RenewalReceived
	case Matched:
		return RenewalMatched
	case Approved:
		return RenewalApproved
	case Staged:
		if !n.LoadedAt.IsZero() {
			return RenewalLoaded
		}
		return RenewalStaged
	case Active:
		return stepOfActive(n, replaced)
	case Retiring:
		return RenewalSuperseded
	}
	switch {
	case n.Activated != 0 && successor == Compromised:
		return RenewalCompromised
	case n.Activated != 0: // it was in use
		return ended(n)
	}
	if successor != "" {
		n.Successor = ""
	}
	return withoutSuccessor(n, replaced)
}

// ended returns the step of a renewal whose successor has ended.
func ended(n *Renewal) RenewalStep {
	if n.Activated != 0 {
		return RenewalSuperseded
	}
	return RenewalWithdrawn
}

func withoutSuccessor(n *Renewal, replaced State) RenewalStep {
	switch {
	case !replaced.InUse() && replaced != Compromised:
		return RenewalLapsed
	case !n.AskedAt.IsZero():
		return RenewalAsked
	}
	return RenewalDue
}

// stepOfActive returns the step of a renewal whose successor is active.
func stepOfActive(n *Renewal, replaced State) RenewalStep {
	switch {
	case replaced == Compromised && !n.Everywhere.IsZero():
		return RenewalDone
	case !replaced.InUse() && replaced != Compromised && (n.Owner == Ours || n.Mail != nil):
		return RenewalDone
	case !n.QuietAt.IsZero():
		return RenewalQuiet
	case n.Mail != nil:
		return RenewalTold
	}
	return RenewalActive
}
