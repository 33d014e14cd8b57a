package profile

import "slices"

// Clone returns a copy that shares nothing with p.
func (p *Profile) Clone() *Profile {
	c := *p
	c.Environments = slices.Clone(p.Environments)
	c.Endpoints = slices.Clone(p.Endpoints)
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		e.Echo, e.Bind, e.Query = slices.Clone(e.Echo), slices.Clone(e.Bind), slices.Clone(e.Query)
	}
	if p.Trigger != nil {
		t := *p.Trigger
		t.Off = slices.Clone(t.Off)
		c.Trigger = &t
	}
	c.Request, c.Response = p.Request.Clone(), p.Response.Clone()
	c.Errors.Table = slices.Clone(p.Errors.Table)
	for i := range c.Errors.Table {
		c.Errors.Table[i].Also = slices.Clone(c.Errors.Table[i].Also)
	}
	for _, list := range []*[]string{&c.Keys.Usage, &c.Certificate.KeyUsage.Required,
		&c.Certificate.KeyUsage.Allowed} {
		*list = slices.Clone(*list)
	}
	c.Certificate.Bits = slices.Clone(p.Certificate.Bits)
	return &c
}

// Clone returns a copy that shares nothing with d.
func (d Direction) Clone() Direction {
	d.Sign, d.Encrypt = d.Sign.clone(), d.Encrypt.clone()
	d.Body.Accept = slices.Clone(d.Body.Accept)
	d.Body.Accompanying = slices.Clone(d.Body.Accompanying)
	return d
}

func (p *Protection) clone() *Protection {
	if p == nil {
		return nil
	}
	c := *p
	for _, list := range []*[]string{
		&c.Alg.Open, &c.Alg.LaneMayAdd, &c.Enc.Open, &c.Enc.LaneMayAdd, &c.Kid.Open, &c.Typ.Open, &c.Cty.Open,
	} {
		*list = slices.Clone(*list)
	}
	return &c
}
