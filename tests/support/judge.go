// Verifies a certificate with Go's crypto/x509: judge CA.PEM LEAF.PEM prints what is wrong with it.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func read(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	return x509.ParseCertificate(block.Bytes)
}

func verify(ca string, leaf string) error {
	root, err := read(ca)
	if err != nil {
		return err
	}
	one, err := read(leaf)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	_, err = one.Verify(x509.VerifyOptions{Roots: roots})
	return err
}

func main() {
	if err := verify(os.Args[1], os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
