package registry

// SetRegistry makes a session one of another Registry value, such as a copy with other keys.
func (s *Session) SetRegistry(r *Registry) { s.registry = r }

// SessionOf returns the session of a person, without their token.
func (r *Registry) SessionOf(p Person) *Session {
	return &Session{Viewer: Viewer{registry: r, person: p}}
}

// Bind completes what is stored of an API key in use.
func (r *Registry) Bind(tx Reader, k *APIKey, token string) error {
	hash, err := r.hashKey(tx)
	if err != nil {
		return err
	}
	sum := hash.Token(token)
	k.HMAC = sum[:]
	k.bind(hash)
	return nil
}
